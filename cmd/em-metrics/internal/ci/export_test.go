package ci

// Systems is the number of CI systems in the table.
const Systems = len(systems)
