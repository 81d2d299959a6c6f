//go:build race

package db_test

// bruteForceRounds is how many random histories are compared. The race
// detector makes each ten times as slow and finds nothing more in many.
const bruteForceRounds = 150
