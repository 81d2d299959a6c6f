package exporter

import "github.com/em-metrics/em-metrics/db"

// windowGauge is a row of the table of exact gauges.
type windowGauge struct {
	name, unit, description string
	read                    func(d db.Dora) []reading
}

// reading is a value of a gauge. What is undefined has none.
type reading struct {
	quantile string // of a duration
	value    float64
}

// prometheusName is the name of the gauge as Prometheus shows it.
func (g windowGauge) prometheusName() string {
	if g.unit == "s" {
		return g.name + "_seconds"
	}
	return g.name
}

// openIncidents is the one gauge that has no window.
func openIncidents() windowGauge {
	return windowGauge{"dora_incidents_open", "{incident}", "Incidents of which service is not restored.",
		count(func(d db.Dora) int64 { return d.OpenIncidents })}
}

// windowGauges is the table of those that have one.
func windowGauges() []windowGauge {
	gauges := []windowGauge{
		{"dora_deployments", "{deployment}", "Deployments deployed in the window.",
			count(func(d db.Dora) int64 { return d.Deployments })},
		{"dora_deployments_per_day", "", "Deployments of the window divided by its days.",
			func(d db.Dora) []reading { return []reading{{value: d.PerDay}} }},
		{"dora_deployment_days", "{day}", "Days of the window with a deployment, in UTC.",
			count(func(d db.Dora) int64 { return d.DeploymentDays })},
		{"dora_failed_deployments", "{deployment}", "Deployments of the window with an incident linked to them.",
			count(func(d db.Dora) int64 { return d.FailedDeployments })},
		{"dora_change_failure_ratio", "", "Failed deployments divided by deployments. Absent without a deployment.",
			func(d db.Dora) []reading {
				if !d.ChangeFailureRatio.Valid {
					return nil
				}
				return []reading{{value: d.ChangeFailureRatio.V}}
			}},
		{"dora_rework_ratio", "", "Deployments marked as rework divided by deployments. Absent without a deployment.",
			func(d db.Dora) []reading {
				if !d.ReworkRatio.Valid {
					return nil
				}
				return []reading{{value: d.ReworkRatio.V}}
			}},
		{"dora_incidents", "{incident}", "Incidents that started in the window.",
			count(func(d db.Dora) int64 { return d.Incidents })},
		{"dora_deployments_unfinished", "{deployment}", "Deployments that began in the window and were never deployed.",
			count(func(d db.Dora) int64 { return d.Unfinished })},
	}
	for _, duration := range []struct {
		name, of, description string
		distribution          func(d db.Dora) db.Distribution
	}{
		{"dora_lead_time", "deployment", "Time from the first commit to being deployed, of deployments of the window.",
			func(d db.Dora) db.Distribution { return d.LeadTime }},
		{"dora_deployment_duration", "deployment", "Time from the start of a deployment to its end, of deployments of the window.",
			func(d db.Dora) db.Distribution { return d.DeploymentDuration }},
		{"dora_failed_deployment_recovery", "incident", "Duration of incidents linked to a deployment, of those restored in the window.",
			func(d db.Dora) db.Distribution { return d.FailedDeploymentRecovery }},
		{"dora_time_to_restore", "incident", "Duration of incidents, of those restored in the window.",
			func(d db.Dora) db.Distribution { return d.TimeToRestore }},
		{"dora_time_to_detect", "incident", "Time from a deployment to an incident linked to it, of those that started in the window.",
			func(d db.Dora) db.Distribution { return d.TimeToDetect }},
	} {
		gauges = append(gauges,
			windowGauge{duration.name, "s", duration.description,
				func(d db.Dora) []reading { return quantiles(duration.distribution(d)) }},
			windowGauge{duration.name + "_samples", "{" + duration.of + "}", "How many samples the quantiles of " + duration.name + "_seconds have.",
				count(func(d db.Dora) int64 { return duration.distribution(d).Samples })})
	}
	return gauges
}

func count(of func(d db.Dora) int64) func(d db.Dora) []reading {
	return func(d db.Dora) []reading { return []reading{{value: float64(of(d))}} }
}

func quantiles(d db.Distribution) []reading {
	if d.Samples == 0 {
		return nil
	}
	return []reading{{"0.5", d.P50.V.Seconds()}, {"0.9", d.P90.V.Seconds()}}
}
