//go:build !unix

package main

import "math"

// descriptorLimit returns the largest number: there is no limit to observe here.
func descriptorLimit() uint64 { return math.MaxUint64 }
