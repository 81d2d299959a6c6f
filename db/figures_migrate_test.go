package db_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// TestFiguresOfAnOlderDatabase opens a file of the schema before the figures:
// what they are read from is filled in from what is stored.
func TestFiguresOfAnOlderDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "older.db")
	older, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile("migrations/0001_events.sql")
	if err != nil {
		t.Fatal(err)
	}
	deployed := doraNow.Add(-time.Hour).UnixMilli()
	for _, statement := range []string{string(schema), "PRAGMA user_version = 1"} {
		if _, err := older.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := older.Exec(`
		INSERT INTO deployments (project_id, environment, id, first_commit_at, deployed_at, began_at, recorded_at)
			VALUES ('shop', 'production', '1', ?1 - 60000, ?1, ?1, ?1), ('shop', 'production', '2', ?1 - 60000, ?1, ?1, ?1),
				('shop', 'production', '3', ?1 - 60000, NULL, ?1, ?1);
		INSERT INTO incidents (project_id, environment, id, deployment_id, started_at, recorded_at)
			VALUES ('shop', 'production', 'a', '1', ?1 + 90000, ?1), ('shop', 'production', 'b', '3', ?1, ?1);`, deployed); err != nil {
		t.Fatal(err)
	}
	if err := older.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := db.Open(context.Background(), path, db.Options{Now: at(doraNow)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	from, to := s.Window(24 * time.Hour)
	groups, err := s.Dora(context.Background(), dora.Query{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	got := groups[0]
	if got.Deployments != 2 || got.FailedDeployments != 1 || got.UnfinishedDeployments != 1 || got.OpenIncidents != 2 ||
		got.TimeToDetect.Samples != 1 || got.TimeToDetect.P50 != 90*time.Second {
		t.Errorf("got %+v", got)
	}
}
