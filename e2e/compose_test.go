package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// loadCompose reads docker-compose.yml as docker compose does, with only the given
// variables.
func loadCompose(t *testing.T, profiles []string, environment ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../docker-compose.yml"},
		cli.WithEnv(environment), cli.WithProfiles(profiles), cli.WithResolvedPaths(true), cli.WithInterpolation(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

const toAlloy = "OTEL_COLLECTOR_URL=http://alloy:4318"

func TestComposeProfiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		profiles    []string
		environment []string
		services    []string
	}{
		"default": {nil, nil, []string{"em-metrics", "grafana", "prometheus"}},
		"demo":    {[]string{"demo"}, nil, []string{"demo", "demo-blocks", "demo-history", "em-metrics", "grafana", "prometheus"}},
		"otlp":    {[]string{"otlp"}, []string{toAlloy}, []string{"alloy", "em-metrics", "grafana", "prometheus"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := loadCompose(t, c.profiles, c.environment...)
			if got := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(got, c.services) {
				t.Errorf("it starts %v, want %v", got, c.services)
			}
			for _, service := range project.Services {
				checkService(t, project, service)
			}
			for name, secret := range project.Secrets {
				if content, err := os.ReadFile(secret.File); err != nil || len(strings.TrimSpace(string(content))) == 0 {
					t.Errorf("the file of the secret %s is missing or empty: %v", name, err)
				}
			}
		})
	}
}

var version = regexp.MustCompile(`:v?\d+\.\d+\.\d+$`)

// exits reports whether a service is a step of the demo, which ends.
func exits(service string) bool { return strings.HasPrefix(service, "demo") }

func checkService(t *testing.T, project *types.Project, s types.ServiceConfig) {
	t.Helper()
	if !strings.HasPrefix(s.Image, "em-metrics:") && !version.MatchString(s.Image) {
		t.Errorf("%s: the image %s has no fixed version", s.Name, s.Image)
	}
	published := slices.Contains([]string{"em-metrics", "prometheus", "grafana"}, s.Name)
	if published != (len(s.Ports) == 1) {
		t.Errorf("%s publishes %v", s.Name, s.Ports)
	}
	for _, port := range s.Ports {
		if port.HostIP != "127.0.0.1" {
			t.Errorf("%s publishes port %s on %q, want 127.0.0.1", s.Name, port.Published, port.HostIP)
		}
	}
	if !exits(s.Name) && (s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2) {
		t.Errorf("%s has no health check", s.Name)
	}
	for name, dependency := range s.DependsOn {
		want := types.ServiceConditionHealthy
		if exits(name) {
			want = types.ServiceConditionCompletedSuccessfully
		}
		if dependency.Condition != want {
			t.Errorf("%s starts when %s is in state %s, want %s", s.Name, name, dependency.Condition, want)
		}
	}
	if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		t.Errorf("%s can gain privileges", s.Name)
	}
	for _, volume := range s.Volumes {
		switch volume.Type {
		case types.VolumeTypeBind:
			if _, err := os.Stat(volume.Source); err != nil || !volume.ReadOnly {
				t.Errorf("%s mounts %s, read-only %t: %v", s.Name, volume.Source, volume.ReadOnly, err)
			}
		case types.VolumeTypeVolume:
			if _, ok := project.Volumes[volume.Source]; !ok {
				t.Errorf("%s mounts the volume %s, which does not exist", s.Name, volume.Source)
			}
		}
	}
}

func TestComposeRestrictsEmMetrics(t *testing.T) {
	t.Parallel()
	project := loadCompose(t, []string{"demo"})
	for _, name := range []string{"em-metrics", "demo", "demo-history"} {
		s := project.Services[name]
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.Image != project.Services["em-metrics"].Image {
			t.Errorf("%s: read-only is %t, dropped capabilities are %v, image is %s", name, s.ReadOnly, s.CapDrop, s.Image)
		}
		for variable, value := range s.Environment {
			if strings.Contains(variable, "TOKEN") && value != nil && !strings.HasPrefix(*value, "/run/secrets/") {
				t.Errorf("%s: the secret %s is in the environment", name, variable)
			}
		}
	}
}

// Metrics are either scraped or pushed, never both.
func TestComposeScrapesOrPushes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environment []string
		config      string
		push        string
		scraped     bool
	}{
		"scrape":         {nil, "prometheus.yml", "", true},
		"push to Alloy":  {[]string{toAlloy}, "prometheus-otlp.yml", "http://alloy:4318", false},
		"push elsewhere": {[]string{"OTEL_COLLECTOR_URL=https://otlp.example.com", "PROMETHEUS_CONFIG=prometheus.yml"}, "prometheus.yml", "https://otlp.example.com", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := loadCompose(t, []string{"otlp"}, c.environment...)
			command := project.Services["prometheus"].Command
			if !slices.Contains(command, "--config.file=/etc/prometheus/"+c.config) {
				t.Errorf("Prometheus is started with %q", command)
			}
			if !slices.Contains(command, "--storage.tsdb.retention.time=400d") {
				t.Errorf("Prometheus keeps less than 400 days: %q", command)
			}
			content, err := os.ReadFile(filepath.Join("../prometheus", c.config))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(content), `"em-metrics:3000"`); got != c.scraped {
				t.Errorf("em-metrics is scraped: %t, want %t", got, c.scraped)
			}
			if got := *project.Services["em-metrics"].Environment["OTEL_COLLECTOR_URL"]; got != c.push {
				t.Errorf("em-metrics pushes to %q, want %q", got, c.push)
			}
		})
	}
}

var exampleSetting = regexp.MustCompile(`(?m)^#([A-Z_]+)=`)

// .env.example lists the variables of docker-compose.yml and no others.
func TestEnvironmentExampleIsComplete(t *testing.T) {
	t.Parallel()
	compose, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile("../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{"COMPOSE_PROFILES": true}
	for _, match := range regexp.MustCompile(`\$\{([A-Z_]+)`).FindAllStringSubmatch(string(compose), -1) {
		used[match[1]] = true
	}
	listed := map[string]bool{}
	for _, match := range exampleSetting.FindAllStringSubmatch(string(content), -1) {
		listed[match[1]] = true
	}
	if !maps.Equal(used, listed) {
		t.Errorf("docker-compose.yml uses %v\n.env.example lists %v", slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(listed)))
	}
}

// Grafana is configured for what is mounted: the home dashboard, the folder of
// dashboards, and their data source.
func TestGrafanaIsProvisioned(t *testing.T) {
	t.Parallel()
	grafana := loadCompose(t, nil).Services["grafana"]
	mounted := map[string]string{}
	for _, volume := range grafana.Volumes {
		mounted[volume.Target] = volume.Source
	}
	home := *grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if _, err := os.Stat(filepath.Join(mounted[filepath.Dir(home)], filepath.Base(home))); err != nil {
		t.Errorf("the home dashboard %s is not mounted: %v", home, err)
	}
	provisioning := mounted["/etc/grafana/provisioning"]
	provider, err := os.ReadFile(filepath.Join(provisioning, "dashboards/em-metrics.yml"))
	if err != nil || !strings.Contains(string(provider), "path: "+filepath.Dir(home)) {
		t.Errorf("the provider does not read the dashboards in %s: %v", filepath.Dir(home), err)
	}
	source, err := os.ReadFile(filepath.Join(provisioning, "datasources/prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"uid: em-metrics-prometheus", "url: http://prometheus:9090", "timeInterval: 15s"} {
		if !strings.Contains(string(source), want) {
			t.Errorf("the data source does not contain %q", want)
		}
	}
}
