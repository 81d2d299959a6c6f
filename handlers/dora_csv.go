package handlers

import (
	"net/http"
	"strconv"

	"github.com/em-metrics/em-metrics/db"
)

// doraColumn is one column of the table of figures.
type doraColumn struct {
	name  string
	value func(f figures) string
}

func doraColumns() []doraColumn {
	columns := []doraColumn{
		{"deployments", func(f figures) string { return strconv.FormatInt(f.DeploymentFrequency.Deployments, 10) }},
		{"deployments_per_day", func(f figures) string { return csvNumber(&f.DeploymentFrequency.PerDay) }},
		{"days_with_deployment", func(f figures) string { return strconv.FormatInt(f.DeploymentFrequency.DaysWithDeployment, 10) }},
		{"deployment_frequency_level", func(f figures) string { return csvText(f.DeploymentFrequency.Level) }},
		{"failed_deployments", func(f figures) string { return strconv.FormatInt(f.ChangeFailureRate.FailedDeployments, 10) }},
		{"change_failure_rate", func(f figures) string { return csvNumber(f.ChangeFailureRate.Ratio) }},
		{"change_failure_rate_level", func(f figures) string { return csvText(f.ChangeFailureRate.Level) }},
		{"rework_deployments", func(f figures) string { return strconv.FormatInt(f.DeploymentReworkRate.ReworkDeployments, 10) }},
		{"deployment_rework_rate", func(f figures) string { return csvNumber(f.DeploymentReworkRate.Ratio) }},
		{"unfinished_deployments", func(f figures) string { return strconv.FormatInt(f.UnfinishedDeployments, 10) }},
		{"incidents", func(f figures) string { return strconv.FormatInt(f.Incidents, 10) }},
		{"open_incidents", func(f figures) string { return strconv.FormatInt(f.OpenIncidents, 10) }},
	}
	for _, d := range []struct {
		name string
		of   func(f figures) durations
	}{
		{"change_lead_time", func(f figures) durations { return f.ChangeLeadTime }},
		{"failed_deployment_recovery_time", func(f figures) durations { return f.FailedDeploymentRecovery }},
		{"deployment_duration", func(f figures) durations { return f.DeploymentDuration }},
		{"time_to_restore", func(f figures) durations { return f.TimeToRestore }},
		{"time_to_detect", func(f figures) durations { return f.TimeToDetect }},
	} {
		columns = append(columns,
			doraColumn{d.name + "_p50_seconds", func(f figures) string { return csvNumber(d.of(f).P50) }},
			doraColumn{d.name + "_p90_seconds", func(f figures) string { return csvNumber(d.of(f).P90) }},
			doraColumn{d.name + "_mean_seconds", func(f figures) string { return csvNumber(d.of(f).Mean) }},
			doraColumn{d.name + "_samples", func(f figures) string { return strconv.FormatInt(d.of(f).Samples, 10) }},
			doraColumn{d.name + "_level", func(f figures) string { return csvText(d.of(f).Level) }},
		)
	}
	return columns
}

// writeDoraCSV answers with one row for each group or, of a series, for each
// interval of each group. What is undefined is an empty cell.
func writeDoraCSV(w http.ResponseWriter, groups []db.DoraGroup, q db.DoraQuery, b db.Bands) error {
	columns := doraColumns()
	header := []string{"project_id", "team_id", "environment", "from", "to"}
	for _, c := range columns {
		header = append(header, c.name)
	}
	records := [][]string{header}
	for _, g := range groups {
		pieces := g.Series
		if q.Interval == db.NoInterval {
			pieces = []db.DoraInterval{{From: q.From, To: q.To, Dora: g.Dora}}
		}
		for _, piece := range pieces {
			f := showFigures(piece.Dora, b)
			record := []string{
				csvCell(g.Project), csvCell(g.Team), csvCell(g.Environment),
				*showDate(piece.From, q.Location), *showDate(piece.To, q.Location),
			}
			for _, c := range columns {
				record = append(record, c.value(f))
			}
			records = append(records, record)
		}
	}
	return writeCSV(w, "dora.csv", records)
}
