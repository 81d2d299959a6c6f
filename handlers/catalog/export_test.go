package catalog

// Parse parses the content of a file.
var Parse = parse
