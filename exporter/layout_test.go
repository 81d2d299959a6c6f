package exporter

import (
	"slices"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
)

// A snapshot of another table of instruments is another layout.
func TestLayout(t *testing.T) {
	const limit = 2000
	before := layout(instruments(), limit)
	if layout(instruments(), limit) != before {
		t.Error("the layout of the same table differs")
	}
	histogram := slices.IndexFunc(instruments(), func(i instrument) bool { return i.measure != nil })
	type table = []instrument
	for name, change := range map[string]func(t table) table{
		"a row more":       func(t table) table { return append(t, instrument{name: "new"}) },
		"a row less":       func(t table) table { return t[1:] },
		"another order":    func(t table) table { return append(t[1:], t[0]) },
		"another name":     changed(0, func(i *instrument) { i.name += "s" }),
		"another kind":     changed(0, func(i *instrument) { i.kinds = []db.Kind{"new"} }),
		"a kind more":      changed(0, func(i *instrument) { i.kinds = append(i.kinds, "new") }),
		"another bound":    changed(histogram, func(i *instrument) { i.bounds[3] += time.Second }),
		"a bound less":     changed(histogram, func(i *instrument) { i.bounds = i.bounds[1:] }),
		"no histogram now": changed(histogram, func(i *instrument) { i.measure = nil }),
	} {
		if layout(change(instruments()), limit) == before {
			t.Errorf("%s: the layout is the same", name)
		}
	}
	if layout(instruments(), limit+1) == before {
		t.Error("another limit: the layout is the same")
	}
}

// changed returns a change of one row.
func changed(row int, change func(*instrument)) func([]instrument) []instrument {
	return func(table []instrument) []instrument {
		change(&table[row])
		return table
	}
}
