package exporter

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// snapshotState is the content of a snapshot.
type snapshotState struct {
	seq        int64
	overflowed int64
	kinds      map[db.Kind]totals
	places     []dora.Labels
	sets       []setState
}

// setState is a label set that has events.
type setState struct {
	labels
	firstEvent time.Time
	series     []totals
}

// encode returns the totals as a snapshot that is not yet compressed. The caller
// must hold applying.
func (f *fold) encode() db.Snapshot {
	e := &encoder{texts: map[string]uint64{}}
	e.number(f.newest.Seq)
	e.number(f.overflowed)
	e.number(int64(len(f.kinds)))
	for _, kind := range slices.Sorted(maps.Keys(f.kinds)) {
		e.text(string(kind))
		e.number(f.kinds[kind].count)
		e.number(f.kinds[kind].first.UnixMilli())
	}
	places := f.places.Taken()
	e.number(int64(len(places)))
	for _, l := range places {
		e.texts3(l.Environment, l.Project, l.Team)
	}
	sets := slices.DeleteFunc(slices.SortedFunc(maps.Keys(f.sets), compareLabels), func(l labels) bool {
		return f.sets[l].firstEvent.IsZero()
	})
	e.number(int64(len(sets)))
	for _, l := range sets {
		e.texts3(l.environment, l.project, l.team)
		first := f.sets[l].firstEvent
		e.number(first.UnixMilli())
		for _, a := range f.adders {
			e.totals(a.instrument, f.sets[l].series[a.index], first)
		}
	}
	return db.Snapshot{Layout: layout(instruments(), f.limit), Epoch: f.epoch, Last: f.newest, Content: e.content}
}

func compareLabels(a, b labels) int {
	return cmp.Or(cmp.Compare(a.environment, b.environment), cmp.Compare(a.project, b.project), cmp.Compare(a.team, b.team))
}

// encoder writes numbers as varints and each text once.
type encoder struct {
	content []byte
	texts   map[string]uint64
}

func (e *encoder) number(n int64) { e.content = binary.AppendVarint(e.content, n) }

// text writes the number of the text, and the text itself if it is a new one.
func (e *encoder) text(s string) {
	n, known := e.texts[s]
	if !known {
		n = uint64(len(e.texts))
		e.texts[s] = n
	}
	e.content = binary.AppendUvarint(e.content, n)
	if !known {
		e.content = binary.AppendUvarint(e.content, uint64(len(s)))
		e.content = append(e.content, s...)
	}
}

func (e *encoder) texts3(a, b, c string) {
	e.text(a)
	e.text(b)
	e.text(c)
}

// totals writes only the buckets in use: most have few.
func (e *encoder) totals(i instrument, t totals, firstOfSet time.Time) {
	e.number(t.count)
	if t.count == 0 {
		return
	}
	e.number(t.first.Sub(firstOfSet).Milliseconds())
	if i.measure == nil {
		return
	}
	e.number(t.sum)
	e.number(t.min)
	e.number(t.max)
	used := 0
	for _, n := range t.buckets {
		if n > 0 {
			used++
		}
	}
	e.number(int64(used))
	for bucket, n := range t.buckets {
		if n > 0 {
			e.number(int64(bucket))
			e.number(int64(n))
		}
	}
}

// decodeSnapshot returns what encode wrote with the same table of instruments.
func decodeSnapshot(content []byte, table []instrument) (*snapshotState, error) {
	d := &decoder{content: content}
	s := &snapshotState{seq: d.number(), overflowed: d.number(), kinds: map[db.Kind]totals{}}
	for range d.length() {
		s.kinds[db.Kind(d.text())] = totals{count: d.number(), first: d.time()}
	}
	for range d.length() {
		s.places = append(s.places, dora.Labels{Environment: d.text(), Project: d.text(), Team: d.text()})
	}
	for range d.length() {
		set := setState{labels: labels{environment: d.text(), project: d.text(), team: d.text()}, firstEvent: d.time()}
		for _, i := range table {
			set.series = append(set.series, d.totals(i, set.firstEvent))
		}
		s.sets = append(s.sets, set)
		if d.broken {
			break
		}
	}
	if d.broken || len(d.content) > 0 {
		return nil, errors.New("decode: the content is not what this version writes")
	}
	return s, nil
}

// decoder reads what an encoder wrote. Once the content is broken, everything is
// zero.
type decoder struct {
	content []byte
	texts   []string
	broken  bool
}

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.content)
	return decoded(d, n, size)
}

func (d *decoder) unsigned() uint64 {
	n, size := binary.Uvarint(d.content)
	return decoded(d, n, size)
}

func decoded[N int64 | uint64](d *decoder, n N, size int) N {
	if size <= 0 || d.broken {
		d.broken, d.content = true, nil
		return 0
	}
	d.content = d.content[size:]
	return n
}

// length reads how many elements follow, each of at least one byte.
func (d *decoder) length() int {
	n := d.number()
	if n < 0 || n > int64(len(d.content)) {
		d.broken, d.content = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) time() time.Time { return time.UnixMilli(d.number()).UTC() }

func (d *decoder) text() string {
	n := d.unsigned()
	if n < uint64(len(d.texts)) {
		return d.texts[n]
	}
	size := d.unsigned()
	if size > uint64(len(d.content)) {
		d.broken, d.content = true, nil
		return ""
	}
	s := string(d.content[:size])
	d.content = d.content[size:]
	d.texts = append(d.texts, s)
	return s
}

func (d *decoder) totals(i instrument, firstOfSet time.Time) (t totals) {
	if t.count = d.number(); t.count == 0 {
		return t
	}
	t.first = firstOfSet.Add(time.Duration(d.number()) * time.Millisecond)
	if i.measure == nil {
		return t
	}
	t.sum, t.min, t.max = d.number(), d.number(), d.number()
	t.buckets = make([]uint64, len(i.bounds)+1)
	for range d.length() {
		bucket, n := d.number(), d.number()
		if bucket < 0 || bucket >= int64(len(t.buckets)) {
			d.broken, d.content = true, nil
			return t
		}
		t.buckets[bucket] = uint64(n)
	}
	return t
}
