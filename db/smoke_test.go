package db

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	s, err := Open(context.Background(), filepath.Join(t.TempDir(), "a b?#.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	k := Key{"p", "e", "1"}
	c := StartDeployment{Key: k, FirstCommitAt: time.Now().Add(-time.Hour)}
	for range 2 {
		o, err := s.Do(context.Background(), c)
		t.Log(o[0].Deployment, o[0].Created, err)
	}
	o, err := s.Do(context.Background(), FinishDeployment{Ref: Ref{ID: "1"}})
	t.Log(o, err)
	for range 2 {
		o, err = s.Do(context.Background(), OpenIncident{Key: Key{"p", "x", ""}, AnyEnvironment: true, DeploymentID: "1"})
		t.Log(o[0].Incident, err)
	}
	o, err = s.Do(context.Background(), FinishIncident{Ref: Ref{ID: "incident_p_2"}})
	t.Log(o[0].Incident, err)
	t.Log(s.Ready(context.Background()))
	for e, err := range s.EventsAfter(context.Background(), 0) {
		t.Log(e, err)
	}
	l, n, err := s.Deployments(context.Background(), DeploymentFilter{Page: Page{Limit: 5}})
	t.Log(l, n, err)
}
