package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// The scripts in testdata/script show what a user types and what the program
// answers. They have two commands of their own: listening LOG waits until the
// service that writes this log is listening, and get PATH sends it a request.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(programtest.Binary(t))+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("HOST", "127.0.0.1")
			env.Setenv("PORT", "0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"listening": listening, "get": get},
	})
}

// listening waits until the log has the address, and sets PORT to its port.
func listening(ts *testscript.TestScript, _ bool, args []string) {
	log := ts.MkAbs(args[0])
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		content, err := os.ReadFile(log)
		if match := regexp.MustCompile(programtest.Listening).FindSubmatch(content); match != nil {
			_, port, err := net.SplitHostPort(string(match[1]))
			ts.Check(err)
			ts.Setenv("PORT", port)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the service is not listening: %v %s", err, content)
		}
	}
}

// get sends a GET request with the token of the script, and waits while the
// service is not ready.
func get(ts *testscript.TestScript, _ bool, args []string) {
	request, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+ts.Getenv("PORT")+args[0], nil)
	ts.Check(err)
	request.Header.Set("Authorization", "Bearer "+ts.Getenv("EM_METRICS_TOKEN_AUTH"))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		response, err := http.DefaultClient.Do(request)
		ts.Check(err)
		body, err := io.ReadAll(response.Body)
		ts.Check(err)
		ts.Check(response.Body.Close())
		if response.StatusCode == http.StatusOK {
			_, err = ts.Stdout().Write(body)
			ts.Check(err)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("GET %s: %s %s", args[0], response.Status, body)
		}
	}
}
