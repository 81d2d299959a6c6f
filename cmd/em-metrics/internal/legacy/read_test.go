package legacy

import (
	"database/sql"
	"path/filepath"
	"testing"
)

// The first version of the older service had no teams and fewer tables.
func TestReadFirstSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "legacy.db")
	pool, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	_, err = pool.Exec(`CREATE TABLE deployments (id TEXT PRIMARY KEY, project_id TEXT, deploy_start_at TEXT, deployed_at TEXT, first_commit_at TEXT);
		CREATE TABLE incidents (id TEXT PRIMARY KEY, project_id TEXT, deployment_id TEXT, started_at TEXT, restored_at TEXT, finished_at TEXT);
		INSERT INTO incidents (id, project_id) VALUES ('1', 'shop')`)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Read(t.Context(), path, false)
	if err != nil || len(d.Incidents) != 1 || d.Incidents[0] != (Incident{ID: "1", Project: "shop"}) || len(d.Deployments) != 0 || len(d.Others) != 0 {
		t.Errorf("read %+v (%v)", d, err)
	}
}
