package handlers

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// explainAnswer is the answer of GET /dora/explain.
type explainAnswer struct {
	Metric            dora.Name         `json:"metric"`
	From              *string           `json:"from"`
	To                *string           `json:"to"`
	Figure            json.RawMessage   `json:"figure"`
	Bands             bands             `json:"bands"`
	Production        dora.Environments `json:"production,omitempty"`
	MixedEnvironments bool              `json:"mixed_environments"`
	Evidence          []evidence        `json:"evidence"`
}

// evidence is one deployment or one incident.
type evidence struct {
	Deployment   *deployment `json:"deployment,omitempty"`
	Incident     *incident   `json:"incident,omitempty"`
	Counted      bool        `json:"counted"`
	ValueSeconds *float64    `json:"value_seconds"`
	IncidentIDs  []string    `json:"incident_ids,omitempty"`
	// The first commits of the deployment, of the commit lead time. Each is a sample.
	Commits []commitSample `json:"commits,omitempty"`
}

// commitSample is a commit of a deployment with its lead time.
type commitSample struct {
	SHA          string   `json:"sha"`
	At           *string  `json:"at"`
	ValueSeconds *float64 `json:"value_seconds"`
}

func showEvidence(e db.Evidence) evidence {
	shown := evidence{Counted: e.Counted, ValueSeconds: showSeconds(e.Value), IncidentIDs: e.Incidents}
	if e.Deployment != nil {
		d := showDeployment(e.Deployment)
		shown.Deployment = &d
		for _, c := range e.Commits {
			lead := db.Elapsed(c.At, e.Deployment.DeployedAt)
			shown.Commits = append(shown.Commits, commitSample{c.Name, showTime(c.At), showSeconds(lead)})
		}
	} else {
		i := showIncident(e.Incident)
		shown.Incident = &i
	}
	return shown
}

func (q *query) figure() dora.Figure {
	f, ok := dora.Find(dora.Name(q.text("metric")))
	if !ok {
		q.add("metric", "must be one of %s, or the name of a gauge of one", figureNames())
	}
	return f
}

func figureNames() string {
	var names []string
	for _, f := range dora.Figures() {
		names = append(names, string(f.Name))
	}
	return strings.Join(names, ", ")
}

// explain serves GET /dora/explain: 200 with a figure of a window and a page of
// the deployments or incidents that it is computed from, as JSON or CSV, 400 for
// bad parameters. The Link header leads to the next page of the same window.
func (a *api) explain(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	q := parseQuery(r)
	figure, b, page, format := q.figure(), q.bands(), q.page(), q.format(r)
	dq, production := a.doraQuery(q)
	if err := q.err(); err != nil {
		return err
	}
	groups, err := a.Store.Dora(r.Context(), dq)
	if err != nil {
		return err
	}
	found, next, err := a.Store.Explain(r.Context(), figure.Name, dq, page)
	if err != nil {
		return err
	}
	values := r.URL.Query()
	values.Del("window") // it would end later by then
	values.Set("from", *showTime(dq.From))
	values.Set("to", *showTime(dq.To))
	linkNext(w, r.URL.Path, values, next)
	w.Header().Set("Vary", "Accept")
	shown := make([]evidence, len(found))
	for i, e := range found {
		shown[i] = showEvidence(e)
	}
	if format == "csv" {
		return writeEvidenceCSV(w, shown)
	}
	return writeJSON(w, http.StatusOK, explainAnswer{
		Metric: figure.Name, From: showTime(dq.From), To: showTime(dq.To), Bands: showBands(b),
		Figure: appendFigure(nil, figure, groups[0].Totals, b.Rate(figure, groups[0])), Evidence: shown,
		Production: production, MixedEnvironments: groups[0].MixedEnvironments && len(production) == 0,
	})
}

func writeEvidenceCSV(w http.ResponseWriter, found []evidence) error {
	header := []string{
		"kind", "id", "project_id", "environment", "team_id", "counted", "value_seconds",
		"first_commit_at", "deploy_start_at", "deployed_at", "rework", "incident_ids",
		"deployment_id", "started_at", "restored_at", "finished_at",
		"commit", "commit_count", "lead_time_unknown_because", "aborted_at", "rollback", "failed_because", "rolled_back_by",
		"sha", "committed_at",
	}
	return writeCSV(w, "evidence.csv", header, func(yield func([]string) bool) {
		for _, e := range found {
			for _, record := range evidenceRecords(e) {
				if !yield(record) {
					return
				}
			}
		}
	})
}

// evidenceRecords returns the rows of one deployment or incident: one, or one for each
// of its commits.
func evidenceRecords(e evidence) [][]string {
	record := evidenceRecord(e)
	if len(e.Commits) == 0 {
		return [][]string{append(record, "", "")}
	}
	records := make([][]string, len(e.Commits))
	for i, c := range e.Commits {
		records[i] = append(slices.Clone(record), csvCell(c.SHA), csvText(c.At))
		records[i][0], records[i][6] = "commit", csvNumber(c.ValueSeconds)
	}
	return records
}

func evidenceRecord(e evidence) []string {
	counted, value := strconv.FormatBool(e.Counted), csvNumber(e.ValueSeconds)
	if d := e.Deployment; d != nil {
		return []string{
			"deployment", csvCell(d.ID), csvCell(d.ProjectID), csvCell(d.Environment), csvText(d.TeamID),
			counted, value, csvText(d.FirstCommitAt), csvText(d.DeployStartAt), csvText(d.DeployedAt),
			strconv.FormatBool(d.Rework), csvCell(strings.Join(e.IncidentIDs, " ")), "", "", "", "",
			csvCell(d.Commit), csvCount(d.CommitCount), d.noLeadTime(), csvText(d.AbortedAt), strconv.FormatBool(d.Rollback),
			d.FailedBecause, csvCell(d.RolledBackBy),
		}
	}
	i := e.Incident
	return []string{
		"incident", csvCell(i.ID), csvCell(i.ProjectID), csvCell(i.Environment), csvText(i.TeamID),
		counted, value, "", "", "", "", "", csvText(i.DeploymentID),
		csvText(i.StartedAt), csvText(i.RestoredAt), csvText(i.FinishedAt),
		"", "", "", "", "", "", "",
	}
}
