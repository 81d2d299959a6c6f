//go:build !race

package db_test

// bruteForceRounds is how many random histories are compared.
const bruteForceRounds = 2000
