package page_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/handlers/page"
)

// FuzzBadge renders badges for names that the API would reject, too: a badge is
// well-formed XML for any of them.
func FuzzBadge(f *testing.F) {
	for _, seed := range []string{
		"shop", "", "\x00\x1b\r\n\t", "\u0085\u009f\u007f", "\ufffe\uffff\ufffd", "\xff\xed\xa0\x80", "\u202eshop\u2069", "]]>&<!--\U0001ffff\"'",
	} {
		f.Add(seed)
	}
	store, err := db.Open(f.Context(), filepath.Join(f.TempDir(), "em-metrics.db"), db.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := store.Close(); err != nil {
			f.Error(err)
		}
	})
	pages, err := page.New(page.Options{Store: store})
	if err != nil {
		f.Fatal(err)
	}
	bands, _ := dora.BandsOf("2023")
	figure, _ := dora.Find("incidents")
	f.Fuzz(func(t *testing.T, name string) {
		w := httptest.NewRecorder()
		q := page.Query{Bands: bands, Query: dora.Query{
			From: time.UnixMilli(0), To: time.UnixMilli(3_600_000), Location: time.UTC,
			Filter: dora.Filter{Project: name, Team: name, Environment: name},
		}}
		if err := pages.Badge(w, httptest.NewRequest(http.MethodGet, "/badge/incidents.svg", nil), figure, q); err != nil {
			t.Fatal(err)
		}
		if err := parseXML(w.Body.String()); err != nil {
			t.Errorf("badge of %q: %v\n%s", name, err, w.Body)
		}
	})
}

func parseXML(text string) error {
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
