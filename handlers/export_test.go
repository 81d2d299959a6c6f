package handlers

// Internals that tests use directly.
var (
	ParseCursor  = parseCursor
	FormatCursor = formatCursor
)

// Routes returns the routing table, as "METHOD /path/:parameter".
func Routes() (rows []string) {
	for _, r := range (&api{}).routes() {
		rows = append(rows, r.method+" "+r.path)
	}
	return rows
}
