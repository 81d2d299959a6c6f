package handlers

import "github.com/em-metrics/em-metrics/db"

// deployment is the JSON form of a deployment. The fields from Commit on are absent
// where there is nothing to say.
type deployment struct {
	ID            string  `json:"id"`
	ProjectID     string  `json:"project_id"`
	Environment   string  `json:"environment"`
	TeamID        *string `json:"team_id"`
	FirstCommitAt *string `json:"first_commit_at"`
	DeployStartAt *string `json:"deploy_start_at"`
	DeployedAt    *string `json:"deployed_at"`
	Rework        bool    `json:"rework"`

	Commit        string    `json:"commit,omitempty"`
	CommitCount   *int      `json:"commit_count,omitempty"`
	AbortedAt     *string   `json:"aborted_at,omitempty"`
	Rollback      bool      `json:"rollback,omitempty"`
	Failed        bool      `json:"failed,omitempty"`
	FailedBecause string    `json:"failed_because,omitempty"`
	RolledBackBy  string    `json:"rolled_back_by,omitempty"`
	LeadTime      *leadTime `json:"lead_time,omitempty"`
	Live          *bool     `json:"live,omitempty"`
}

// leadTime says why a deployment has no lead time.
type leadTime struct {
	UnknownBecause string `json:"unknown_because"`
}

// noLeadTime returns why there is no lead time, "" if there is one.
func (d deployment) noLeadTime() string {
	if d.LeadTime == nil {
		return ""
	}
	return d.LeadTime.UnknownBecause
}

func showDeployment(d *db.Deployment) deployment {
	shown := deployment{
		ID: d.ID, ProjectID: d.Project, Environment: d.Environment, TeamID: showText(d.Team),
		FirstCommitAt: showTime(d.FirstCommitAt), DeployStartAt: showTime(d.DeployStartAt),
		DeployedAt: showTime(d.DeployedAt), Rework: d.Rework,
		Commit: d.Commit, AbortedAt: showTime(d.AbortedAt), Rollback: d.Rollback.Valid && d.Rollback.V,
		Failed: d.Failed, FailedBecause: string(d.FailedBecause), RolledBackBy: d.RolledBackBy,
	}
	if d.Commits.Valid {
		shown.CommitCount = &d.Commits.V
	}
	if d.NoLeadTime != "" {
		shown.LeadTime = &leadTime{string(d.NoLeadTime)}
	}
	return shown
}
