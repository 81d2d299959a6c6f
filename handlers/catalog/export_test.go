package catalog

// Parse lets a fuzzer do without files.
var Parse = parse
