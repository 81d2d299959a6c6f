package db

import (
	"fmt"
	"testing"
)

func TestNames(t *testing.T) {
	s, _ := newStore(t)
	from, to := clock("09:00"), clock("11:00")
	names := func() string {
		t.Helper()
		n, err := s.Names(t.Context(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("projects %q, teams %q, environments %q", n.Projects, n.Teams, n.Environments)
	}
	expect(t, names(), "projects [], teams [], environments []")

	for _, d := range []struct{ key, start, team string }{
		{"before/a/1", "08:59", "early"},
		{"web/prod/1", "09:00", ""},
		{"web/prod/2", "09:30", "blue"},
		{"web/staging/3", "10:59", "blue"},
		{"after/b/1", "11:00", "late"},
	} {
		_, err := s.Do(t.Context(), StartDeployment{
			Key: key(d.key), FirstCommitAt: clock("08:00"), DeployStartAt: clock(d.start),
			Team: team(d.team),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	expect(t, names(), `projects ["web"], teams ["blue"], environments ["prod" "staging"]`)

	for _, i := range []struct{ key, start string }{{"db/prod/a", "10:00"}, {"web/test/b", "10:00"}, {"before/c/c", "08:00"}} {
		if _, err := s.Do(t.Context(), incident(i.key, "", i.start)); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, names(), `projects ["db" "web"], teams ["blue"], environments ["prod" "staging" "test"]`)
}
