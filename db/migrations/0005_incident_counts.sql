-- How many incidents a project has, which a generated incident id depends on. To
-- count them anew for each would read all of them.
CREATE TABLE incident_counts (
    project_id TEXT PRIMARY KEY,
    incidents  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO incident_counts SELECT project_id, count(*) FROM incidents GROUP BY project_id;
