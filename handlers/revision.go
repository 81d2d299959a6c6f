package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/handlers/strictjson"
)

// CommitRequest is a commit in the body of a request. The date is RFC 3339.
type CommitRequest struct {
	SHA string `json:"sha"`
	At  string `json:"at"`
}

// CommitRequests are the commits in the body of a request. Nil is absent.
type CommitRequests []CommitRequest

// UnmarshalJSON decodes a list of commits. There may be thousands, so the form in which
// programs write them is read without encoding/json, whose checks have been done.
func (q *CommitRequests) UnmarshalJSON(text []byte) error {
	if commits, ok := readCommits(string(text)); ok {
		*q = commits
		return nil
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(text, &elements); err != nil || elements == nil {
		*q = nil
		return err
	}
	*q = make(CommitRequests, len(elements))
	for i, element := range elements {
		err := strictjson.Decode(element, &(*q)[i])
		var wrong *strictjson.Error
		if errors.As(err, &wrong) {
			path := fmt.Sprintf("commits[%d]", i)
			if wrong.Path != "" {
				path += "." + wrong.Path
			}
			return &strictjson.Error{Path: path, Message: wrong.Message}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readCommits reads a well-formed list of objects that have nothing but an sha and a
// date, without escapes. It reports whether it is one.
func readCommits(text string) (CommitRequests, bool) {
	text, ok := strings.CutPrefix(text, "[")
	commits := make(CommitRequests, 0, strings.Count(text, "{"))
	for ok {
		object, rest, _ := strings.Cut(text, "}")
		parts := strings.Split(object, `"`) // those with odd numbers are strings
		if len(parts) != 9 || strings.Contains(object, `\`) || strings.Trim(parts[0], " ,\r\n\t") != "{" ||
			strings.TrimSpace(parts[2]) != ":" || strings.TrimSpace(parts[4]) != "," || strings.TrimSpace(parts[6]) != ":" ||
			strings.TrimSpace(parts[8]) != "" {
			break
		}
		switch key := parts[1] + " " + parts[5]; key {
		case "sha at":
			commits = append(commits, CommitRequest{SHA: parts[3], At: parts[7]})
		case "at sha":
			commits = append(commits, CommitRequest{SHA: parts[7], At: parts[3]})
		default:
			return nil, false
		}
		text = rest
	}
	return commits, ok && strings.TrimSpace(text) == "]"
}

// commits checks the commits of a deployment. Nil is unknown.
func (f *fields) commits(sent CommitRequests) []db.Commit {
	if len(sent) > db.MaxCommits {
		f.add("commits", "has %d commits; at most %d are allowed: omit the field and send first_commit_at", len(sent), db.MaxCommits)
		return nil
	}
	if sent == nil {
		return nil
	}
	commits, seen := make([]db.Commit, len(sent)), make(map[string]bool, len(sent))
	for i, c := range sent {
		field := func(name string) string { return fmt.Sprintf("commits[%d].%s", i, name) }
		switch {
		case db.CheckName(c.SHA) != nil:
			f.name(field("sha"), c.SHA)
		case seen[c.SHA]:
			f.add(field("sha"), "appears more than once")
		}
		seen[c.SHA] = true
		commits[i] = db.Commit{Name: c.SHA, At: f.commitTime(field, c.At)}
	}
	return commits
}

func (f *fields) commitTime(field func(string) string, at string) time.Time {
	// The field is named only if something is wrong, because there are many.
	if t, err := parseTime(at); err == nil && !t.Before(time.Unix(0, 0)) {
		return t
	}
	return f.requiredTime(field("at"), &at)
}

// firstCommit returns the date of the first commit, zero if it is unknown.
func (f *fields) firstCommit(sent NullableDate, required bool) time.Time {
	if required && !sent.Null {
		return f.requiredTime("first_commit_at", sent.Text)
	}
	return f.optionalTime("first_commit_at", sent.Text)
}

// checkFirstCommit checks that the date of the first commit, if it was sent as well, is
// that of the earliest one.
func (f *fields) checkFirstCommit(first time.Time, commits []db.Commit) {
	if first.IsZero() || len(commits) == 0 {
		return
	}
	earliest := slices.MinFunc(commits, func(a, b db.Commit) int { return a.At.Compare(b.At) }).At
	if !earliest.IsZero() && !first.Equal(earliest) {
		f.add("first_commit_at", "is %s, but the earliest of commits is %s; send the same value or omit the field",
			*showTime(first), *showTime(earliest))
	}
}

// NullableDate is a date of a request that may be null, which says that it is unknown.
// The zero value is absent.
type NullableDate struct {
	Text *string
	Null bool
}

// IsZero reports whether the date is absent.
func (d NullableDate) IsZero() bool { return d.Text == nil && !d.Null }

// MarshalJSON encodes the date as a string or null.
func (d NullableDate) MarshalJSON() ([]byte, error) { return json.Marshal(d.Text) }

// UnmarshalJSON decodes a string or null.
func (d *NullableDate) UnmarshalJSON(text []byte) error {
	d.Null = string(text) == "null"
	return json.Unmarshal(text, &d.Text)
}

// OptionalFlag is a boolean of a request for which absent means something else than
// false. Null and an empty string are the same as omitting it.
type OptionalFlag db.NullBool

// IsZero reports whether the flag is absent.
func (f OptionalFlag) IsZero() bool { return !f.Valid }

// MarshalJSON encodes the flag as a boolean or null.
func (f OptionalFlag) MarshalJSON() ([]byte, error) {
	if !f.Valid {
		return []byte("null"), nil
	}
	return json.Marshal(f.V)
}

// UnmarshalJSON decodes a boolean, null or an empty string.
func (f *OptionalFlag) UnmarshalJSON(text []byte) error {
	if s := string(text); s == `""` || s == "null" {
		*f = OptionalFlag{}
		return nil
	}
	f.Valid = true
	return json.Unmarshal(text, &f.V)
}
