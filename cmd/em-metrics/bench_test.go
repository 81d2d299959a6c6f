package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/exporter"
	"github.com/em-metrics/em-metrics/handlers"
)

// BenchmarkPost compares durable POST /deployments over HTTP with its bounds, in
// one run: a handler that only decodes, one commit per request, and a sync of
// the disk alone. "commits" is durable with 50 commits in each request.
//
//	go test -run '^$' -bench Post -benchtime 20000x ./cmd/em-metrics
//
// The client shares the machine with the server. A lighter client helps the
// handlers that do little most, so there are two: plain sockets and net/http.
func BenchmarkPost(b *testing.B) {
	for _, client := range []struct {
		name string
		dial func(address string) (caller, error)
	}{
		{"sockets", dialSocket}, {"net-http", dialHTTP},
	} {
		for _, connections := range []int{1, 16, 64} {
			for _, way := range []struct {
				name    string
				handler func(*testing.B) http.Handler
				body    func(id int64) string
			}{
				{"noop", noop, plainBody}, {"durable", durable, plainBody}, {"naive", naive, plainBody},
				{"commits", durable, bodyWithCommits},
			} {
				b.Run(fmt.Sprintf("client=%s/connections=%d/%s", client.name, connections, way.name), func(b *testing.B) {
					server := httptest.NewServer(way.handler(b))
					defer server.Close()
					load(b, server.Listener.Addr().String(), connections, client.dial, way.body)
				})
			}
		}
	}
	b.Run("fdatasync", benchmarkSync)
}

// noop returns a handler that decodes a request and writes a response like those
// of the API, and does nothing else.
func noop(*testing.B) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request handlers.DeploymentRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"id": request.ID, "project_id": request.ProjectID, "environment": "NO_ENV", "team_id": nil,
			"first_commit_at": request.FirstCommitAt, "deploy_start_at": request.FirstCommitAt, "deployed_at": nil, "rework": false,
		})
	})
}

// durable returns the handler of the service, with its request log.
func durable(b *testing.B) http.Handler {
	store, err := db.Open(context.Background(), filepath.Join(b.TempDir(), "bench.db"), db.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	metrics, err := exporter.New(context.Background(), store, exporter.Options{Logger: logger})
	if err != nil {
		b.Fatal(err)
	}
	api, err := handlers.New(handlers.Options{
		Store: store, Meter: metrics.Meter(), Auth: handlers.Auth{Disabled: true}, Logger: logger,
	})
	if err != nil {
		b.Fatal(err)
	}
	return api
}

// naive returns a handler that commits each request separately, from a pool of
// connections.
func naive(b *testing.B) http.Handler {
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"}}
	pool, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "naive.db")+"?"+query.Encode())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pool.Close() })
	_, err = pool.Exec(`CREATE TABLE deployments (id TEXT, project_id TEXT, first_commit_at INTEGER, PRIMARY KEY (id, project_id));
		CREATE TABLE events (seq INTEGER PRIMARY KEY, kind TEXT, project_id TEXT, subject_id TEXT)`)
	if err != nil {
		b.Fatal(err)
	}
	next := noop(b)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var request handlers.DeploymentRequest
		_ = json.Unmarshal(body, &request)
		tx, err := pool.Begin()
		if err == nil {
			_, err = tx.Exec("INSERT INTO deployments VALUES (?, ?, ?)", *request.ID, *request.ProjectID, time.Now().UnixMilli())
		}
		if err == nil {
			_, err = tx.Exec("INSERT INTO events (kind, project_id, subject_id) VALUES (?, ?, ?)", "started", *request.ProjectID, *request.ID)
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ids counts the deployments, so that ids are unique in all benchmarks.
var ids atomic.Int64

func plainBody(id int64) string {
	return fmt.Sprintf(`{"id": "%012d", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z"}`, id)
}

// fiftyCommits is a list of commits as git prints them.
var fiftyCommits = func() string {
	commits := make([]string, 50)
	for i := range commits {
		commits[i] = fmt.Sprintf(`{"sha": "%040x", "at": "2026-01-31T09:%02d:00+01:00"}`, 1<<40+i, i)
	}
	return strings.Join(commits, ", ")
}()

func bodyWithCommits(id int64) string {
	return fmt.Sprintf(`{"id": "%012d", "project_id": "shop", "commit": "%040x", "commits": [%s]}`, id, id, fiftyCommits)
}

// load sends b.N requests over a number of connections. It reports the rate, the
// 99th percentile of the latency, and the CPU time of a request, which depends
// little on the load of the machine.
func load(b *testing.B, address string, connections int, dial func(address string) (caller, error), body func(id int64) string) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	times := make([][]time.Duration, connections)
	var clients sync.WaitGroup
	b.ResetTimer()
	start, busy := time.Now(), cpuTime()
	for c := range connections {
		clients.Go(func() {
			client, err := dial(address)
			if err != nil {
				b.Error(err)
				return
			}
			defer client.close()
			for left.Add(-1) >= 0 {
				sent := time.Now()
				if err := client.post(body(ids.Add(1))); err != nil {
					b.Error(err)
					return
				}
				times[c] = append(times[c], time.Since(sent))
			}
		})
	}
	clients.Wait()
	took := time.Since(start)
	busy = cpuTime() - busy
	b.StopTimer()
	all := slices.Concat(times...)
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/took.Seconds(), "req/s")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(busy.Microseconds())/float64(len(all)), "cpu-us/req") // includes the client
}

// caller sends a deployment over its own connection and waits for the response.
type caller struct {
	post  func(body string) error
	close func()
}

// dialHTTP returns a caller that uses net/http.
func dialHTTP(address string) (caller, error) {
	transport := &http.Transport{MaxConnsPerHost: 1}
	client := &http.Client{Transport: transport}
	return caller{close: transport.CloseIdleConnections, post: func(body string) error {
		answer, err := client.Post("http://"+address+"/deployments", "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusCreated {
			return fmt.Errorf("answered %s", answer.Status)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}}, nil
}

// dialSocket returns a caller that does as little work as possible, to leave the
// machine to the server.
func dialSocket(address string) (caller, error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return caller{}, err
	}
	answers := bufio.NewReader(connection)
	return caller{
		close: func() { _ = connection.Close() },
		post:  func(body string) error { return exchange(connection, answers, body) },
	}, nil
}

func exchange(connection io.Writer, answers *bufio.Reader, body string) error {
	_, err := fmt.Fprintf(connection, "POST /deployments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(body), body)
	if err != nil {
		return err
	}
	status, err := answers.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(status, "HTTP/1.1 201") {
		return fmt.Errorf("answered %q", status)
	}
	length := 0
	for {
		line, err := answers.ReadString('\n')
		if err != nil {
			return err
		}
		if line == "\r\n" {
			_, err = answers.Discard(length)
			return err
		}
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
}

// benchmarkSync measures how long it takes to append a page and sync it to disk.
func benchmarkSync(b *testing.B) {
	file, err := os.Create(filepath.Join(b.TempDir(), "sync"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	page := make([]byte, 4096)
	for b.Loop() {
		if _, err := file.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := syncData(file); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "syncs/s")
}
