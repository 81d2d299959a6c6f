// Package sample makes up a year of deployments and incidents, for trying out
// em-metrics.
package sample

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// DefaultSeed is the seed of the year that is used unless another is asked for.
const DefaultSeed = 1

// Line is one line of a file for em-metrics replay.
type Line struct {
	Kind          string    `json:"kind"`
	ProjectID     string    `json:"project_id"`
	Environment   string    `json:"environment"`
	ID            string    `json:"id"`
	FirstCommitAt time.Time `json:"first_commit_at,omitzero"`
	DeployStartAt time.Time `json:"deploy_start_at,omitzero"`
	DeployedAt    time.Time `json:"deployed_at,omitzero"`
	Rework        bool      `json:"rework,omitzero"`
	DeploymentID  string    `json:"deployment_id,omitzero"`
	StartedAt     time.Time `json:"started_at,omitzero"`
	RestoredAt    time.Time `json:"restored_at,omitzero"`
	FinishedAt    time.Time `json:"finished_at,omitzero"`
	User          string    `json:"user"`
}

// Write writes the year before end as JSON lines, in chronological order.
// Nothing in it is later than end. The same end and seed give the same bytes.
func Write(w io.Writer, end time.Time, seed uint64) error {
	buffered := bufio.NewWriter(w)
	encoder := json.NewEncoder(buffered)
	for _, line := range newYear(end, seed).lines() {
		if err := encoder.Encode(line); err != nil {
			return fmt.Errorf("write the sample: %w", err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write the sample: %w", err)
	}
	return nil
}

// team is a team of a teams file.
type team struct {
	Projects []string `json:"projects"`
	Users    []string `json:"users"`
}

// WriteTeams writes the teams file of the sample.
func WriteTeams(w io.Writer) error {
	file := struct {
		Teams map[string]*team `json:"teams"`
	}{map[string]*team{}}
	for _, p := range projects() {
		t := file.Teams[p.team]
		if t == nil {
			t = &team{}
			file.Teams[p.team] = t
		}
		t.Projects = append(t.Projects, p.id)
		for _, user := range p.users {
			if !slices.Contains(t.Users, user) {
				t.Users = append(t.Users, user)
			}
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(file); err != nil {
		return fmt.Errorf("write the teams of the sample: %w", err)
	}
	return nil
}
