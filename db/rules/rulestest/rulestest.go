// Package rulestest makes commands for tests and fuzzing.
package rulestest

import (
	"math/rand/v2"
	"time"

	"github.com/em-metrics/em-metrics/db/rules"
)

// BytesPerCommand is how many bytes [Command] reads.
const BytesPerCommand = 6

// Noon is the time at which the commands of [Command] are meant to happen.
func Noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

// Seed returns the bytes of n random commands. Most commands of every second seed
// deploy one of few commits to one environment, in which there are rollbacks then.
func Seed(r *rand.Rand, seed, n int) []byte {
	input := make([]byte, n*BytesPerCommand)
	for i := range input {
		input[i] = byte(r.Uint32())
	}
	for b := input; seed%2 == 1 && len(b) > 0; b = b[BytesPerCommand:] {
		if b[0]%4 == 0 {
			continue
		}
		b[0], b[1] = 3, b[1]&^3 // create and finish
		b[2] &= 0x0f            // tell nothing else about the commit
		b[3], b[4], b[5] = 0, 2, b[5]|1
	}
	return input
}

// Commands makes commands of any bytes. There are few names and few dates, so
// that commands repeat and contradict each other.
func Commands(input []byte) []rules.Command {
	var commands []rules.Command
	for ; len(input) >= BytesPerCommand; input = input[BytesPerCommand:] {
		commands = append(commands, command(input[:BytesPerCommand]))
	}
	return commands
}

func command(b []byte) rules.Command {
	k := rules.Key{Project: choose(b[1], "a", "b"), Environment: choose(b[1]>>1, "x", "y"), ID: choose(b[1]>>2, "1", "2", "3", "4", "5")}
	ref := rules.Ref{ID: k.ID, Project: choose(b[1]>>3, "", k.Project), Environment: choose(b[1]>>4, "", k.Environment)}
	one, two, three := date(b[3], 8), date(b[4], 2), date(b[5], 2)
	commit := choose(b[2]>>1, "", "aaaaaaa", "aaaaaaa1", "bbbbbbb", "v1", "aaaaaaa2")
	var told rules.NullBool
	if b[2]>>5 == 1 {
		told = rules.NullBool{V: b[2]>>4&1 == 1, Valid: true}
	}
	failed := b[2]>>5 == 2
	switch b[0] % 8 {
	case 0:
		return rules.StartDeployment{Key: k, FirstCommitAt: one, DeployStartAt: two, DeployedAt: three, Rework: b[2]&1 == 1,
			Commit: commit, Commits: commits(b[5]), Rollback: told, Failed: failed}
	case 1:
		return rules.StartDeployment{Key: k, FirstCommitAt: one, FirstCommitUnknown: b[4]&1 == 1, Commit: commit}
	case 2:
		return rules.FinishDeployment{Ref: ref, FirstCommitAt: two, DeployedAt: one,
			Commit: commit, Commits: commits(b[5]), Rollback: told, Failed: failed}
	case 3:
		return rules.FinishDeployment{Ref: ref, FirstCommitAt: one, DeployedAt: three,
			Commit: commit, Commits: commits(b[4]), Rollback: told, Failed: failed,
			Create: &rules.StartDeployment{Key: k, FirstCommitAt: one, DeployStartAt: two}}
	case 4:
		if b[4]%2 == 0 {
			return abort(b, ref, k, commit)
		}
		return rules.RestoreIncident{Ref: incidentRef(b[2], ref), At: one}
	case 5:
		return rules.FinishIncident{Ref: incidentRef(b[2], ref), At: one}
	}
	return rules.OpenIncident{
		Key:            rules.Key{Project: k.Project, Environment: k.Environment, ID: incidentRef(b[2], ref).ID},
		DeploymentID:   choose(b[1]>>3, "", "1", "2", "3"),
		AnyEnvironment: b[1]>>5&1 == 1,
		IdempotencyKey: choose(b[1]>>6, "", "", "k", "l"),
		StartedAt:      one, RestoredAt: two, FinishedAt: three,
	}
}

func abort(b []byte, ref rules.Ref, k rules.Key, commit string) rules.Command {
	c := rules.AbortDeployment{Ref: ref, At: date(b[3], 2)}
	if b[4]%4 == 0 {
		c.Create = &rules.StartDeployment{Key: k, Commit: commit, DeployStartAt: date(b[5], 2)}
	}
	return c
}

// commits are unknown for most values, or else none or two.
func commits(b byte) []rules.Commit {
	switch b % 8 {
	case 0:
		return []rules.Commit{}
	case 1:
		at := Noon().Add(-time.Hour)
		return []rules.Commit{{Name: "c1", At: at.Add(time.Duration(b) * time.Second)}, {Name: "c2", At: at}}
	}
	return nil
}

func incidentRef(b byte, ref rules.Ref) rules.Ref {
	ref.ID = choose(b, "", "1", "", "2", "", "incident_a_1", "incident_a_2", "incident_b_2")
	return ref
}

func choose(b byte, from ...string) string { return from[int(b)%len(from)] }

// date is zero for one value in so many, or else in the half hour around noon,
// whose end is further in the future than is accepted.
func date(b, zero byte) time.Time {
	if b%zero == 0 {
		return time.Time{}
	}
	return Noon().Add(time.Duration(b/8)*time.Minute - 22*time.Minute)
}
