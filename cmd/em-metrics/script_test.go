package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts of testdata/script are what a user types, and what is answered.
// They have two commands besides the usual ones: listening waits for the
// service that the script has started with its log in a file, and get PATH
// asks it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("HOST", "127.0.0.1")
			env.Setenv("PORT", "0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"listening": listening, "get": get},
	})
}

// listening waits until the log says the address, and tells it to the script.
func listening(ts *testscript.TestScript, _ bool, args []string) {
	log := ts.MkAbs(args[0])
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		content, err := os.ReadFile(log)
		if match := addressInLog.FindSubmatch(content); match != nil {
			_, port, err := net.SplitHostPort(string(match[1]))
			ts.Check(err)
			ts.Setenv("PORT", port)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the service does not listen: %v %s", err, content)
		}
	}
}

// get asks the service with the token of the script, and waits while it still
// reads what is stored.
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
