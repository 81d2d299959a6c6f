package handlers_test

import (
	"context"
	"database/sql"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dbtest"
)

func impatient(o *setup) { o.Database.BusyTimeout = time.Millisecond }

// TestLockedDatabaseIsReportedAndRecovers: another connection takes the write lock
// and releases it.
func TestLockedDatabaseIsReportedAndRecovers(t *testing.T) {
	s := start(t, impatient)
	s.must("POST /incidents", `{"id": "before", "project_id": "shop"}`)
	other, err := sql.Open("sqlite", "file:"+s.store.Path()+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range []string{"POST /incidents", "GET /ready", "GET /api/v1/ready"} {
		body := ""
		if request == "POST /incidents" {
			body = `{"id": "1", "project_id": "shop"}`
		}
		got := s.send(request, body)
		if got.String() != "503 server the database is locked by another process" || got.header.Get("Retry-After") != "1" {
			t.Errorf("%s: %s, Retry-After %q", request, got, got.header.Get("Retry-After"))
		}
	}
	for path, want := range map[string]int{"/health": 200, "/incidents": 200, "/metrics": 200, "/incidents/before": 200, "/incidents/1": 404} {
		if got := s.get(path); got.status != want {
			t.Errorf("%s while it is locked: %s", path, got)
		}
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := s.send("POST /incidents", `{"id": "1", "project_id": "shop"}`); got.status != 201 {
		t.Errorf("after the lock: %s", got)
	}
	s.now.Set(dbtest.At("12:01"))
	if got := s.get("/ready"); got.status != 200 || got.body != `{"status":"ready"}`+"\n" {
		t.Errorf("after the lock: %s", got)
	}
	compare(t, "metrics", s.metrics(), []string{"incident_count shop/production 2"})
}

func TestMissingDatabaseFileIsReported(t *testing.T) {
	s := start(t)
	path := s.store.Path()
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	want := "503 server the database file is gone: put it back before a restart, which would lose what it holds"
	for _, request := range []string{"POST /deployments/1/deployed", "GET /ready"} {
		if got := s.send(request, ""); got.String() != want || got.header.Get("Retry-After") != "1" {
			t.Errorf("%s: %s", request, got)
		}
	}
	if got := s.get("/health"); got.status != 200 || got.body != `{"status":"ok"}`+"\n" {
		t.Error(got)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	s.now.Set(dbtest.At("12:01"))
	if got := s.get("/ready"); got.status != 200 {
		t.Errorf("after it is back: %s", got)
	}
}

func TestClosedStoreIsNotReady(t *testing.T) {
	s := start(t)
	s.close(t)
	for _, request := range []string{"GET /ready", "POST /incidents/1/restored"} {
		if got := s.send(request, ""); got.String() != "503 server the service is stopping" {
			t.Errorf("%s: %s", request, got)
		}
	}
	// Clients must not see the error of the closed pool.
	if got := s.get("/deployments"); got.status < 500 || got.String() != "500 server the error has been logged; the request can safely be retried" {
		t.Errorf("list: %s", got)
	}
}

// TestReadyWritesAtMostOnceASecond: anyone may ask, so the result of a trial write is
// shared by all who ask within a second, and no longer.
func TestReadyWritesAtMostOnceASecond(t *testing.T) {
	s := start(t)
	asked := s.now.Now()
	size := func() int64 {
		bytes, err := s.store.Size()
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	expect := func(want string) {
		t.Helper()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got := s.get("/ready"); got.String() != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
		all.Wait()
	}
	before := size()
	s.now.Set(dbtest.At("11:59"))
	if err := s.store.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	oneWrite := size() - before
	const ready, gone = "200 //", "503 server the database file is gone: put it back before a restart, which would lose what it holds"
	for _, step := range []struct {
		after time.Duration
		want  int64
	}{
		{0, oneWrite}, {0, 0}, {999 * time.Millisecond, 0}, {time.Second, oneWrite}, {time.Second, 0},
		{-time.Hour, oneWrite}, // the clock was set back
	} {
		s.now.Set(asked.Add(step.after))
		before := size()
		expect(ready)
		if written := size() - before; written != step.want {
			t.Errorf("%s after the first request: %d bytes were written, want %d", step.after, written, step.want)
		}
	}

	s.now.Set(dbtest.At("13:00"))
	expect(ready)
	if err := os.Rename(s.store.Path(), s.store.Path()+".away"); err != nil {
		t.Fatal(err)
	}
	expect(ready) // for the rest of the second
	s.now.Advance(time.Second)
	expect(gone)
	if err := os.Rename(s.store.Path()+".away", s.store.Path()); err != nil {
		t.Fatal(err)
	}
	expect(gone)
	s.now.Advance(time.Second)
	expect(ready)
}

// TestReadyDoesNotDependOnTheClientThatAskedFirst: it may disconnect in the middle.
func TestReadyDoesNotDependOnTheClientThatAskedFirst(t *testing.T) {
	in := startInside(t)
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, ctx := range []context.Context{gone, t.Context()} {
		w := httptest.NewRecorder()
		in.api.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/ready", nil))
		if w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// TestCorrectDateIsNotTheClientsMistakeAfterTheClockWentBack: a client that sends the
// right date retries until the service's clock is right again.
func TestCorrectDateIsNotTheClientsMistakeAfterTheClockWentBack(t *testing.T) {
	s := start(t)
	s.must("POST /deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "deploy_start_at": "@10:00"}`)
	s.now.Set(dbtest.At("11:00"))
	got := s.send("POST /deployments/1/deployed", `{"deployed_at": "@11:55"}`)
	want := "503 server the clock of the service went back by 1h0m0s, to 2026-03-04T11:00:00.000Z, " +
		"which makes deployed_at (2026-03-04T11:55:00.000Z) a date in the future"
	if got.String() != want || got.header.Get("Retry-After") == "" {
		t.Errorf("got %s, Retry-After %q", got, got.header.Get("Retry-After"))
	}
	if got := s.send("POST /deployments/1/deployed", `{"deployed_at": "@12:06"}`); got.status != 422 {
		t.Errorf("a date that was in the future before, too: %s", got)
	}
	s.now.Set(dbtest.At("12:01"))
	if got := s.send("POST /deployments/1/deployed", `{"deployed_at": "@11:55"}`); got.status != 200 {
		t.Errorf("after the clock was corrected: %s", got)
	}
}
