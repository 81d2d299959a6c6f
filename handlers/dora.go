package handlers

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
)

// doraAnswer is the answer of GET /dora. What is undefined is null.
type doraAnswer struct {
	From   *string     `json:"from"`
	To     *string     `json:"to"`
	TZ     string      `json:"tz"`
	Bands  bands       `json:"bands"`
	Groups []doraGroup `json:"groups"`
}

// bands says where the levels come from.
type bands struct {
	Year   int    `json:"year"`
	Report string `json:"report"`
	Source string `json:"source"`
}

// doraGroup is the figures of one group. What it was not grouped by is null,
// and so is an unknown team.
type doraGroup struct {
	ProjectID   *string `json:"project_id"`
	TeamID      *string `json:"team_id"`
	Environment *string `json:"environment"`
	figures
	Series []doraInterval `json:"series,omitempty"`
}

type doraInterval struct {
	From *string `json:"from"`
	To   *string `json:"to"`
	figures
}

// figures are all figures of a window, under the names of [db.Metrics].
type figures struct {
	DeploymentFrequency      frequency `json:"deployment_frequency"`
	ChangeLeadTime           durations `json:"change_lead_time"`
	ChangeFailureRate        failures  `json:"change_failure_rate"`
	FailedDeploymentRecovery durations `json:"failed_deployment_recovery_time"`
	DeploymentReworkRate     rework    `json:"deployment_rework_rate"`
	DeploymentDuration       durations `json:"deployment_duration"`
	UnfinishedDeployments    int64     `json:"unfinished_deployments"`
	TimeToRestore            durations `json:"time_to_restore"`
	TimeToDetect             durations `json:"time_to_detect"`
	Incidents                int64     `json:"incidents"`
	OpenIncidents            int64     `json:"open_incidents"`
}

type frequency struct {
	Deployments        int64   `json:"deployments"`
	PerDay             float64 `json:"per_day"`
	DaysWithDeployment int64   `json:"days_with_deployment"`
	Level              *string `json:"level"`
}

type durations struct {
	P50     *float64 `json:"p50_seconds"`
	P90     *float64 `json:"p90_seconds"`
	Mean    *float64 `json:"mean_seconds"`
	Samples int64    `json:"samples"`
	Level   *string  `json:"level"`
}

type failures struct {
	Ratio             *float64 `json:"ratio"`
	FailedDeployments int64    `json:"failed_deployments"`
	Deployments       int64    `json:"deployments"`
	Level             *string  `json:"level"`
}

type rework struct {
	Ratio             *float64 `json:"ratio"`
	ReworkDeployments int64    `json:"rework_deployments"`
	Deployments       int64    `json:"deployments"`
	Level             *string  `json:"level"`
}

func showFigures(d db.Dora, b db.Bands) figures {
	levels := b.Levels(d)
	f := figures{
		DeploymentFrequency: frequency{
			Deployments: d.Deployments, PerDay: d.PerDay, DaysWithDeployment: d.DeploymentDays,
			Level: showText(string(levels.DeploymentFrequency)),
		},
		ChangeLeadTime: showDurations(d.LeadTime, levels.LeadTime),
		ChangeFailureRate: failures{
			FailedDeployments: d.FailedDeployments, Deployments: d.Deployments,
			Level: showText(string(levels.ChangeFailureRatio)),
		},
		FailedDeploymentRecovery: showDurations(d.FailedDeploymentRecovery, levels.FailedDeploymentRecovery),
		DeploymentReworkRate:     rework{ReworkDeployments: d.ReworkDeployments, Deployments: d.Deployments},
		DeploymentDuration:       showDurations(d.DeploymentDuration, ""),
		UnfinishedDeployments:    d.Unfinished,
		TimeToRestore:            showDurations(d.TimeToRestore, levels.TimeToRestore),
		TimeToDetect:             showDurations(d.TimeToDetect, ""),
		Incidents:                d.Incidents,
		OpenIncidents:            d.OpenIncidents,
	}
	if d.ChangeFailureRatio.Valid {
		f.ChangeFailureRate.Ratio = &d.ChangeFailureRatio.V
	}
	if d.ReworkRatio.Valid {
		f.DeploymentReworkRate.Ratio = &d.ReworkRatio.V
	}
	return f
}

func showDurations(d db.Distribution, level db.Level) durations {
	return durations{
		P50: showSeconds(d.P50), P90: showSeconds(d.P90), Mean: showSeconds(d.Mean), Samples: d.Samples,
		Level: showText(string(level)),
	}
}

// dora answers the figures of a window, as JSON or as CSV.
func (a *api) dora(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	q := parseQuery(r)
	dq := a.doraQuery(q)
	dq.GroupBy, dq.Interval = q.groupBy(), q.interval()
	b, format := q.bands(), q.format(r)
	if err := q.err(); err != nil {
		return err
	}
	groups, err := a.Store.Dora(r.Context(), dq)
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	if format == "csv" {
		return writeDoraCSV(w, groups, dq, b)
	}
	return writeJSON(w, http.StatusOK, showDora(groups, dq, b))
}

func showDora(groups []db.DoraGroup, q db.DoraQuery, b db.Bands) doraAnswer {
	answer := doraAnswer{
		From: showTime(q.From), To: showTime(q.To), TZ: q.Location.String(),
		Bands: showBands(b), Groups: make([]doraGroup, len(groups)),
	}
	for i, g := range groups {
		shown := doraGroup{
			ProjectID: showText(g.Project), TeamID: showText(g.Team), Environment: showText(g.Environment),
			figures: showFigures(g.Dora, b),
		}
		for _, piece := range g.Series {
			shown.Series = append(shown.Series, doraInterval{
				From: showDate(piece.From, q.Location), To: showDate(piece.To, q.Location), figures: showFigures(piece.Dora, b),
			})
		}
		answer.Groups[i] = shown
	}
	return answer
}

func showBands(b db.Bands) bands { return bands{Year: b.Year, Report: b.Report, Source: b.Source} }
