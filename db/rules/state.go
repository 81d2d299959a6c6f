package rules

import (
	"cmp"
	"slices"
	"time"
)

// State is what a batch has loaded, with the effects of the commands decided so
// far. All of it happens at one time.
type State struct {
	now         time.Time
	clockBehind time.Duration
	deployments table[*Deployment]
	incidents   table[*Incident]
	commits     table[*CommitList]
	numbers     map[string]numbers
	events      []Event

	// IgnoreRollbacks leaves it to the client to say that a deployment is a rollback.
	IgnoreRollbacks bool
}

// NewState returns an empty state. The commands will happen at the given time,
// by a clock that is known to be behind by so much, or zero.
func NewState(now time.Time, clockBehind time.Duration) *State {
	return &State{
		now:         precise(now),
		clockBehind: clockBehind,
		deployments: newTable[*Deployment](),
		incidents:   newTable[*Incident](),
		commits:     newTable[*CommitList](),
		numbers:     map[string]numbers{},
	}
}

// LoadDeployment adds a stored deployment. Loading it again does nothing.
func (s *State) LoadDeployment(d *Deployment) { s.deployments.insert(d) }

// LoadIncident adds a stored incident. Loading it again does nothing.
func (s *State) LoadIncident(i *Incident) { s.incidents.insert(i) }

// numbers is what the generated incident ids of a project depend on.
type numbers struct {
	incidents int64
	free      []int64
}

// LoadNumbers adds how many incidents a project has, and the numbers, in order,
// that are free for its generated incident ids: all above those in use.
func (s *State) LoadNumbers(project string, incidents int64, free []int64) {
	s.numbers[project] = numbers{incidents, free}
}

// Changes are the rows and events that a batch adds or changes.
type Changes struct {
	// Deployments and Incidents are to be inserted where their Row is zero and
	// updated otherwise, in the order in which they were changed first.
	Deployments []*Deployment
	Incidents   []*Incident
	// Commits replace those of their deployments, whose Key they have.
	Commits []*CommitList
	// Events are to be appended in this order.
	Events []Event
}

// Changes returns the effects of all commands that were decided.
func (s *State) Changes() Changes {
	return Changes{
		Deployments: s.deployments.changes(), Incidents: s.incidents.changes(), Commits: s.commits.changes(), Events: s.events,
	}
}

// DeployedBefore returns the newest deployment of a project and environment that
// was deployed before a time, nil when there is none. It must have been needed.
func (s *State) DeployedBefore(b Before) *Deployment {
	var newest *Deployment
	for _, d := range s.deployments.rows {
		if d.Project == b.Project && d.Environment == b.Environment && !d.DeployedAt.IsZero() && d.DeployedAt.Before(b.Time) &&
			(newest == nil || s.deployedEarlier(newest, d)) {
			newest = d
		}
	}
	return newest
}

// deployedEarlier reports whether a was deployed before b or, at the same time,
// recorded before it.
func (s *State) deployedEarlier(a, b *Deployment) bool {
	recorded := func(d *Deployment) uint64 { return uint64(d.Row) - 1 } // a new one is the last
	return cmp.Or(a.DeployedAt.Compare(b.DeployedAt), cmp.Compare(recorded(a), recorded(b)),
		cmp.Compare(s.deployments.order[a.Key], s.deployments.order[b.Key])) < 0
}

// record adds an event.
func (s *State) record(e Event) {
	e.RecordedAt = s.now
	s.events = append(s.events, e)
}

// mark is a point that undo returns to.
type mark struct{ deployments, incidents, commits, events int }

func (s *State) mark() mark {
	return mark{len(s.deployments.journal), len(s.incidents.journal), len(s.commits.journal), len(s.events)}
}

func (s *State) undo(to mark) {
	s.deployments.undo(to.deployments)
	s.incidents.undo(to.incidents)
	s.commits.undo(to.commits)
	s.events = s.events[:to.events]
}

// Now returns the time at which the commands happen.
func (s *State) Now() time.Time { return s.now }

// Row is a pointer to a [Deployment], an [Incident] or a [CommitList].
type Row interface {
	noun() string
	key() Key
}

// table holds rows of one kind by key. Rows in it are never modified, only
// replaced, so that an [Outcome] keeps what it returned.
type table[R Row] struct {
	rows    map[Key]R
	ids     map[string][]Key // the keys that share an id
	order   map[Key]int      // in which the rows were inserted
	journal []change[R]
}

// change is one insertion or, if the row existed before, one replacement.
type change[R Row] struct {
	key     Key
	before  R
	existed bool
}

func newTable[R Row]() table[R] {
	return table[R]{rows: map[Key]R{}, ids: map[string][]Key{}, order: map[Key]int{}}
}

// insert adds a row unless there is one with its key.
func (t *table[R]) insert(r R) (inserted bool) {
	k := r.key()
	if _, exists := t.rows[k]; exists {
		return false
	}
	t.rows[k] = r
	t.ids[k.ID] = append(t.ids[k.ID], k)
	t.order[k] = len(t.order)
	return true
}

// put adds a row or replaces the one with its key.
func (t *table[R]) put(r R) {
	k := r.key()
	before, existed := t.rows[k]
	t.journal = append(t.journal, change[R]{k, before, existed})
	if !t.insert(r) {
		t.rows[k] = r
	}
}

// find returns the rows that match, in the order of project and environment.
func (t *table[R]) find(ref Ref) []R {
	if ref.Project != "" && ref.Environment != "" {
		if r, ok := t.rows[Key{ref.Project, ref.Environment, ref.ID}]; ok {
			return []R{r}
		}
		return nil
	}
	return t.filter(ref.ID, func(r R) bool { return ref.matches(r.key()) })
}

// filter returns the rows with an id that fit, in the order of project and
// environment.
func (t *table[R]) filter(id string, fits func(R) bool) []R {
	var found []R
	for _, k := range t.ids[id] {
		if r := t.rows[k]; fits(r) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b R) int {
		return cmp.Or(cmp.Compare(a.key().Project, b.key().Project), cmp.Compare(a.key().Environment, b.key().Environment))
	})
	return found
}

// changes returns every changed row as it is now, in the order in which they
// were changed first.
func (t *table[R]) changes() []R {
	rows := make([]R, 0, len(t.journal))
	seen := make(map[Key]bool, len(t.journal))
	for _, c := range t.journal {
		if !seen[c.key] {
			seen[c.key] = true
			rows = append(rows, t.rows[c.key])
		}
	}
	return rows
}

// added returns how many rows of a project have been added.
func (t *table[R]) added(project string) (n int64) {
	for _, c := range t.journal {
		if !c.existed && c.key.Project == project {
			n++
		}
	}
	return n
}

// undo takes back the changes after the first so many.
func (t *table[R]) undo(kept int) {
	for _, c := range slices.Backward(t.journal[kept:]) {
		if c.existed {
			t.rows[c.key] = c.before
			continue
		}
		delete(t.rows, c.key)
		delete(t.order, c.key)
		t.ids[c.key.ID] = slices.DeleteFunc(t.ids[c.key.ID], func(k Key) bool { return k == c.key })
	}
	t.journal = t.journal[:kept]
}
