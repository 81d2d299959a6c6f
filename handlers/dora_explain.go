package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
)

// explainAnswer is the answer of GET /dora/explain: a figure, and a page of
// the deployments and incidents that went into it.
type explainAnswer struct {
	Metric   db.Metric  `json:"metric"`
	From     *string    `json:"from"`
	To       *string    `json:"to"`
	Figure   any        `json:"figure"`
	Bands    bands      `json:"bands"`
	Evidence []evidence `json:"evidence"`
}

// evidence is one deployment or one incident.
type evidence struct {
	Deployment   *deployment `json:"deployment,omitempty"`
	Incident     *incident   `json:"incident,omitempty"`
	Counted      bool        `json:"counted"`
	ValueSeconds *float64    `json:"value_seconds"`
	IncidentIDs  []string    `json:"incident_ids,omitempty"`
}

func showEvidence(e db.Evidence) evidence {
	shown := evidence{Counted: e.Counted, ValueSeconds: showSeconds(e.Value), IncidentIDs: e.Incidents}
	if e.Deployment != nil {
		d := showDeployment(e.Deployment)
		shown.Deployment = &d
	} else {
		i := showIncident(e.Incident)
		shown.Incident = &i
	}
	return shown
}

func (q *query) metric() db.Metric {
	m := db.Metric(q.text("metric"))
	if !slices.Contains(db.Metrics(), m) {
		q.add("metric", "must be one of %s", metricNames())
	}
	return m
}

func metricNames() string {
	var names []string
	for _, m := range db.Metrics() {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}

// of picks the figure of a metric.
func (f figures) of(m db.Metric) any {
	return map[db.Metric]any{
		db.DeploymentFrequency:          f.DeploymentFrequency,
		db.ChangeLeadTime:               f.ChangeLeadTime,
		db.ChangeFailureRate:            f.ChangeFailureRate,
		db.FailedDeploymentRecoveryTime: f.FailedDeploymentRecovery,
		db.DeploymentReworkRate:         f.DeploymentReworkRate,
		db.DeploymentDuration:           f.DeploymentDuration,
		db.UnfinishedDeployments:        f.UnfinishedDeployments,
		db.TimeToRestore:                f.TimeToRestore,
		db.TimeToDetect:                 f.TimeToDetect,
		db.Incidents:                    f.Incidents,
		db.OpenIncidents:                f.OpenIncidents,
	}[m]
}

// explain answers with what went into a figure, so that anyone can check it.
// It is a list in pages: the Link header leads to the next, of the same window.
func (a *api) explain(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	q := parseQuery(r)
	m, dq, b, page, format := q.metric(), a.doraQuery(q), q.bands(), q.page(), q.format(r)
	if err := q.err(); err != nil {
		return err
	}
	groups, err := a.Store.Dora(r.Context(), dq)
	if err != nil {
		return err
	}
	found, next, err := a.Store.Explain(r.Context(), m, dq, page)
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
		Metric: m, From: showTime(dq.From), To: showTime(dq.To), Bands: showBands(b),
		Figure: showFigures(groups[0].Dora, b).of(m), Evidence: shown,
	})
}

func writeEvidenceCSV(w http.ResponseWriter, found []evidence) error {
	records := [][]string{{
		"kind", "id", "project_id", "environment", "team_id", "counted", "value_seconds",
		"first_commit_at", "deploy_start_at", "deployed_at", "rework", "incident_ids",
		"deployment_id", "started_at", "restored_at", "finished_at",
	}}
	for _, e := range found {
		record := make([]string, 0, len(records[0]))
		counted, value := strconv.FormatBool(e.Counted), csvNumber(e.ValueSeconds)
		if d := e.Deployment; d != nil {
			record = append(record, "deployment", csvCell(d.ID), csvCell(d.ProjectID), csvCell(d.Environment), csvText(d.TeamID),
				counted, value, csvText(d.FirstCommitAt), csvText(d.DeployStartAt), csvText(d.DeployedAt),
				strconv.FormatBool(d.Rework), csvCell(strings.Join(e.IncidentIDs, " ")), "", "", "", "")
		} else {
			i := e.Incident
			record = append(record, "incident", csvCell(i.ID), csvCell(i.ProjectID), csvCell(i.Environment), csvText(i.TeamID),
				counted, value, "", "", "", "", "", csvText(i.DeploymentID),
				csvText(i.StartedAt), csvText(i.RestoredAt), csvText(i.FinishedAt))
		}
		records = append(records, record)
	}
	return writeCSV(w, "evidence.csv", records)
}
