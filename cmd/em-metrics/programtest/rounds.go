package programtest

import "os"

// Rounds returns how often a test repeats what it does: often enough to find a
// mistake quickly, or, if EM_METRICS_TEST_LONG is set, a rare one.
func Rounds(short, long int) int {
	if os.Getenv("EM_METRICS_TEST_LONG") != "" {
		return long
	}
	return short
}
