package handlers

// What the tests of the front door need from behind it.
var (
	ParseTime    = parseTime
	ParseCursor  = parseCursor
	FormatCursor = formatCursor
)

// Routes are the rows of the table of routes, as "METHOD /path/:parameter".
func Routes() (rows []string) {
	for _, r := range (&api{}).routes() {
		rows = append(rows, r.method+" "+r.path)
	}
	return rows
}
