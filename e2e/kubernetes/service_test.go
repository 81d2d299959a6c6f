package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// The service takes the environment, the files and the probes that the module
// gives it: the real program runs with them, its paths in a folder of the test.
func TestServiceRunsAsTheModuleSays(t *testing.T) {
	program := build(t)
	dir := module(t)
	initialise(t, dir)
	for name, plan := range plans(t, dir, map[string]string{
		"minimal": required, "everything": cases["everything_of_the_service"], "alloy": cases["stack_that_is_pushed_to"],
	}) {
		t.Run(name, func(t *testing.T) {
			objects, err := Render(plan)
			if err != nil {
				t.Fatal(err)
			}
			set := serviceSet(t, objects)
			address := run(t, program, set, objects)
			for _, probe := range []*corev1.Probe{container(set).StartupProbe, container(set).ReadinessProbe, container(set).LivenessProbe} {
				if status, body := request(t, http.MethodGet, address+probe.HTTPGet.Path, "", ""); status != http.StatusOK {
					t.Errorf("%s answers %d: %s", probe.HTTPGet.Path, status, body)
				}
			}
			if status, _ := request(t, http.MethodPost, address+"/deployments", "", "{}"); status != http.StatusUnauthorized {
				t.Errorf("without the token a request is answered with %d", status)
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
		t.Errorf("the deployment is recorded in %q", recorded.Environment)
	}
	if team := recorded.Team; objects.has("ConfigMap dora-teams", nil) && (team == nil || *team != "backend") {
		t.Errorf("the teams are not those of the ConfigMap: %s", body)
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

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "em-metrics")
	command := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/em-metrics")
	command.Dir = "../.."
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, output)
	}
	return program
}

// run starts the program with the environment of its container, and with the
// mounts of it in folders of the test. It returns its address.
func run(t *testing.T, program string, set *appsv1.StatefulSet, objects *Objects) string {
	t.Helper()
	root := t.TempDir()
	var replace []string
	for _, mount := range container(set).VolumeMounts {
		folder := filepath.Join(root, mount.MountPath)
		if err := os.MkdirAll(folder, 0o750); err != nil {
			t.Fatal(err)
		}
		fill(t, folder, pod(set).Volumes, mount.Name, objects)
		replace = append(replace, mount.MountPath+"/", folder+"/")
	}
	port := freePort(t)
	var environ []string
	for _, variable := range container(set).Env {
		value := strings.NewReplacer(replace...).Replace(variable.Value)
		if variable.Name == "PORT" {
			if declared := strconv.Itoa(int(container(set).Ports[0].ContainerPort)); value != declared {
				t.Errorf("it listens on %s and declares %s", value, declared)
			}
			value = port
		}
		environ = append(environ, variable.Name+"="+value)
	}
	start(t, program, environ, time.Duration(*pod(set).TerminationGracePeriodSeconds)*time.Second)
	address := "http://127.0.0.1:" + port
	for deadline := time.Now().Add(20 * time.Second); ; {
		answer, err := http.Get(address + container(set).StartupProbe.HTTPGet.Path)
		if err == nil {
			_ = answer.Body.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not start: %v", err)
		}
	}
}

// fill puts the files of a volume into a folder.
func fill(t *testing.T, folder string, volumes []corev1.Volume, name string, objects *Objects) {
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

// start runs the program until the test ends. Then it must stop by itself within
// the grace that its pod has.
func start(t *testing.T, program string, environ []string, grace time.Duration) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program)
	command.Env = environ
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = grace
	var output bytes.Buffer
	command.Stderr = &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if _ = command.Wait(); !command.ProcessState.Success() || t.Failed() {
			t.Errorf("em-metrics: %s: %s", command.ProcessState, output.String())
		}
		if strings.Contains(output.String(), token) {
			t.Error("the log has the token")
		}
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
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
