package handlers

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db"
)

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that has gone cannot be told
	return nil
}

// writeList answers with a page of a list and, if there is more, a link to the
// next page.
func writeList[T, S any](w http.ResponseWriter, r *http.Request, found []T, next *db.Cursor, show func(T) S) error {
	linkNext(w, r.URL.Path, r.URL.Query(), next)
	shown := make([]S, len(found))
	for i, f := range found {
		shown[i] = show(f)
	}
	return writeJSON(w, http.StatusOK, shown)
}

// linkNext sets the Link header to the page that begins at next, with the
// other parameters as they are. A nil next means that there is no more.
func linkNext(w http.ResponseWriter, path string, parameters url.Values, next *db.Cursor) {
	if next == nil {
		return
	}
	parameters.Del("offset")
	parameters.Set("cursor", formatCursor(*next))
	w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=%q", path, parameters.Encode(), "next"))
}

// csvCell makes a text safe in a spreadsheet, which would run one that begins
// like a formula (https://owasp.org/www-community/attacks/CSV_Injection).
func csvCell(text string) string {
	if strings.HasPrefix(strings.TrimLeft(text, " "), "'") || strings.ContainsAny(firstVisible(text), "=+-@\t\r\n|%") {
		return "'" + text
	}
	return text
}

func firstVisible(text string) string {
	for _, r := range strings.TrimLeft(text, " \u00a0\ufeff") {
		return string(r)
	}
	return ""
}

// writeCSV answers with a table.
func writeCSV(w http.ResponseWriter, name string, records [][]string) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if err := csv.NewWriter(w).WriteAll(records); err != nil {
		return nil //nolint:nilerr // A client that has gone cannot be told.
	}
	return nil
}

func csvNumber(n *float64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatFloat(*n, 'f', -1, 64)
}

func csvText(s *string) string {
	if s == nil {
		return ""
	}
	return csvCell(*s)
}

func showText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func showTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return &s
}

// showDate writes a date with the offset of a place, where a day of a series
// begins at midnight.
func showDate(t time.Time, location *time.Location) *string {
	s := t.In(location).Format("2006-01-02T15:04:05.000Z07:00")
	return &s
}

func showSeconds(d db.NullDuration) *float64 {
	if !d.Valid {
		return nil
	}
	seconds := d.V.Seconds()
	return &seconds
}
