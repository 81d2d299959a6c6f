package kubernetes

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

func TestMain(m *testing.M) { programtest.Main(m) }

// The real program runs with the environment, the files and the probes that the
// module configures. Its paths are in a folder of the test.
func TestServiceRunsAsConfigured(t *testing.T) {
	dir := module(t)
	initialize(t, dir)
	for name, plan := range plans(t, dir, map[string]string{
		"minimal": required, "everything": cases["everything_of_the_service"], "alloy": cases["stack_that_is_pushed_to"],
	}) {
		t.Run(name, func(t *testing.T) {
			objects, err := Render(plan)
			if err != nil {
				t.Fatal(err)
			}
			set := serviceSet(t, objects)
			address := start(t, set, objects)
			for _, probe := range []*corev1.Probe{container(set).StartupProbe, container(set).ReadinessProbe, container(set).LivenessProbe} {
				if status, body := request(t, http.MethodGet, address+probe.HTTPGet.Path, "", ""); status != http.StatusOK {
					t.Errorf("%s answers %d: %s", probe.HTTPGet.Path, status, body)
				}
			}
			if status, _ := request(t, http.MethodPost, address+"/deployments", "", "{}"); status != http.StatusUnauthorized {
				t.Errorf("a request without the token is answered with %d", status)
			}
			deployment := `{"id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z"}`
			status, body := request(t, http.MethodPost, address+"/deployments", token, deployment)
			if status != http.StatusCreated {
				t.Fatalf("a deployment is answered with %d: %s", status, body)
			}
			checkRecorded(t, body, objects)
		})
	}
}

func checkRecorded(t *testing.T, body string, objects *Objects) {
	t.Helper()
	var recorded struct {
		Environment string  `json:"environment"`
		Team        *string `json:"team_id"`
	}
	if err := json.Unmarshal([]byte(body), &recorded); err != nil {
		t.Fatal(err)
	}
	if recorded.Environment != "production" {
		t.Errorf("the deployment is recorded in the environment %q", recorded.Environment)
	}
	if team := recorded.Team; objects.has("ConfigMap dora-teams", nil) && (team == nil || *team != "backend") {
		t.Errorf("the team is not that of the ConfigMap: %s", body)
	}
}

func serviceSet(t *testing.T, objects *Objects) *appsv1.StatefulSet {
	t.Helper()
	for _, set := range objects.StatefulSets {
		if set.Labels["app.kubernetes.io/component"] == "em-metrics" {
			return set
		}
	}
	t.Fatal("there is no StatefulSet of em-metrics")
	return nil
}

// start starts the program with the environment of its container and with its
// mounts in a folder of the test, and returns its URL.
func start(t *testing.T, set *appsv1.StatefulSet, objects *Objects) (url string) {
	t.Helper()
	root := t.TempDir()
	var replace []string
	for _, mount := range container(set).VolumeMounts {
		folder := filepath.Join(root, mount.MountPath)
		if err := os.MkdirAll(folder, 0o750); err != nil {
			t.Fatal(err)
		}
		writeVolume(t, folder, pod(set).Volumes, mount.Name, objects)
		replace = append(replace, mount.MountPath+"/", folder+"/")
	}
	var environ []string
	for _, variable := range container(set).Env {
		value := strings.NewReplacer(replace...).Replace(variable.Value)
		if variable.Name == "PORT" {
			if declared := strconv.Itoa(int(container(set).Ports[0].ContainerPort)); value != declared {
				t.Errorf("it listens on port %s but declares port %s", value, declared)
			}
			value = "0"
		}
		environ = append(environ, variable.Name+"="+value)
	}
	program := programtest.Start(t, programtest.Binary(t), nil, environ)
	t.Cleanup(func() { checkStop(t, program, time.Duration(*pod(set).TerminationGracePeriodSeconds)*time.Second) })
	_, port, err := net.SplitHostPort(program.WaitFor(programtest.Listening))
	if err != nil {
		t.Fatal(err)
	}
	return "http://127.0.0.1:" + port
}

// checkStop stops the program, which must exit with success within the grace
// period of its pod and must not have logged the token.
func checkStop(t *testing.T, program *programtest.Process, grace time.Duration) {
	t.Helper()
	start := time.Now()
	if err := program.Stop(os.Interrupt); err != nil || time.Since(start) > grace {
		t.Errorf("em-metrics ended with %v after %s", err, time.Since(start))
	}
	if strings.Contains(program.Output(), token) {
		t.Error("the log contains the token")
	}
}

// writeVolume writes the files of a volume into a folder.
func writeVolume(t *testing.T, folder string, volumes []corev1.Volume, name string, objects *Objects) {
	t.Helper()
	files := map[string]string{}
	for _, volume := range volumes {
		switch {
		case volume.Name != name:
		case volume.Secret != nil:
			for _, item := range volume.Secret.Items {
				files[item.Path] = token + "\n"
			}
		case volume.ConfigMap != nil:
			for _, config := range objects.ConfigMaps {
				if config.Name == volume.ConfigMap.Name {
					files = config.Data
				}
			}
		}
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func request(t *testing.T, method, address, credential, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
