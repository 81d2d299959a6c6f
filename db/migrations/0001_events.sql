-- Times are Unix milliseconds in UTC. Durations are milliseconds.
CREATE TABLE deployments (
    row                 INTEGER PRIMARY KEY,
    project_id          TEXT NOT NULL,
    environment         TEXT NOT NULL,
    id                  TEXT NOT NULL,
    team_id             TEXT,
    first_commit_at     INTEGER NOT NULL,
    deploy_start_at     INTEGER, -- null: never told
    planned_deployed_at INTEGER, -- what a later call without a date will use
    deployed_at         INTEGER, -- null until deployed
    rework              INTEGER NOT NULL DEFAULT 0,
    began_at            INTEGER NOT NULL, -- deploy_start_at, else deployed_at: the order of lists
    recorded_at         INTEGER NOT NULL,
    -- The id comes first so that a path that names only the id finds its rows by this index.
    UNIQUE (id, project_id, environment)
) STRICT;

CREATE INDEX deployments_by_time ON deployments (began_at);
CREATE INDEX deployments_by_project ON deployments (project_id, began_at);

CREATE TABLE incidents (
    row             INTEGER PRIMARY KEY,
    project_id      TEXT NOT NULL,
    environment     TEXT NOT NULL,
    id              TEXT NOT NULL,
    team_id         TEXT,
    number          INTEGER, -- set when the id was generated from it
    idempotency_key TEXT,
    deployment_id   TEXT, -- in the same project and environment
    started_at      INTEGER NOT NULL,
    restored_at     INTEGER,
    finished_at     INTEGER,
    recorded_at     INTEGER NOT NULL,
    UNIQUE (id, project_id, environment),
    FOREIGN KEY (deployment_id, project_id, environment)
        REFERENCES deployments (id, project_id, environment)
) STRICT;

CREATE INDEX incidents_by_time ON incidents (started_at);
CREATE INDEX incidents_by_project ON incidents (project_id, started_at);
CREATE INDEX incidents_open ON incidents (started_at) WHERE restored_at IS NULL;
CREATE INDEX incidents_by_deployment ON incidents (deployment_id, project_id, environment)
    WHERE deployment_id IS NOT NULL;
CREATE UNIQUE INDEX incidents_by_number ON incidents (project_id, number)
    WHERE number IS NOT NULL;
CREATE UNIQUE INDEX incidents_by_idempotency_key ON incidents (project_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- Rows are never deleted, so the greatest rowid only grows and none is used twice.
CREATE TABLE events (
    seq                    INTEGER PRIMARY KEY,
    kind                   TEXT NOT NULL,
    project_id             TEXT NOT NULL,
    environment            TEXT NOT NULL,
    team_id                TEXT,
    subject_id             TEXT NOT NULL,
    occurred_at            INTEGER NOT NULL,
    recorded_at            INTEGER NOT NULL,
    lead_time_ms           INTEGER,
    deployment_duration_ms INTEGER,
    time_to_detect_ms      INTEGER,
    time_to_restore_ms     INTEGER
) STRICT;

CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

-- One row that the readiness check writes, so that it tries the very path of an event.
CREATE TABLE readiness (
    only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
    checked_at INTEGER NOT NULL
) STRICT;

INSERT INTO readiness VALUES (1, 0);
