package handlers

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db"
)

// writeJSON writes a value as JSON.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode the response: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // an error means that the client is gone
	return nil
}

// writeList writes a page of a list, with a Link header if there is another page.
func writeList[T, S any](w http.ResponseWriter, r *http.Request, found []T, next *db.Cursor, show func(T) S) error {
	linkNext(w, r.URL.Path, r.URL.Query(), next)
	shown := make([]S, len(found))
	for i, f := range found {
		shown[i] = show(f)
	}
	return writeJSON(w, http.StatusOK, shown)
}

// linkNext sets the Link header to the page that starts at next, keeping the other
// parameters. If next is nil, there is no such page.
func linkNext(w http.ResponseWriter, path string, parameters url.Values, next *db.Cursor) {
	if next == nil {
		return
	}
	parameters.Del("offset")
	parameters.Set("cursor", formatCursor(*next))
	w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=%q", path, parameters.Encode(), "next"))
}

// csvCell escapes text that a spreadsheet would evaluate as a formula
// (https://owasp.org/www-community/attacks/CSV_Injection).
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

// writeCSV writes a CSV file of that name. A record is written before the next one
// is asked for.
func writeCSV(w http.ResponseWriter, name string, header []string, records iter.Seq[[]string]) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	out := csv.NewWriter(w)
	err := out.Write(header)
	for record := range records {
		if err != nil { // the client is gone
			return nil
		}
		err = out.Write(record)
	}
	out.Flush()
	return nil
}

func csvNumber(n *float64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatFloat(*n, 'f', -1, 64)
}

func csvCount(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func csvText(s *string) string {
	if s == nil {
		return ""
	}
	return csvCell(*s)
}

// showText returns nil for an empty text, which is null in JSON.
func showText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// showTime formats a time in UTC with milliseconds. It returns nil for the zero
// time, which is null in JSON.
func showTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return &s
}

// showDate formats a time in a time zone, in which the days of a series begin at
// midnight.
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
