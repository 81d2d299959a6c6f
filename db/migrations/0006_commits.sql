-- What a deployment deployed, and what became of it. A deployment whose first
-- commit is unknown has no lead time. The commits of a repository, in the order in
-- which they were pushed, would be a table of their own beside these.
ALTER TABLE deployments ALTER COLUMN first_commit_at DROP NOT NULL;
ALTER TABLE deployments ADD COLUMN commit_name TEXT;
ALTER TABLE deployments ADD COLUMN commit_key TEXT;        -- equal for names that may mean the same commit
ALTER TABLE deployments ADD COLUMN commits INTEGER;        -- how many it brought; null: unknown
ALTER TABLE deployments ADD COLUMN aborted_at INTEGER;
ALTER TABLE deployments ADD COLUMN rollback INTEGER;       -- as it was told or, once deployed, decided; null: neither
ALTER TABLE deployments ADD COLUMN lead_time_unknown TEXT; -- why, once deployed
ALTER TABLE deployments ADD COLUMN failed_because TEXT;    -- what made it fail first
ALTER TABLE deployments ADD COLUMN rolled_back_at INTEGER;
ALTER TABLE deployments ADD COLUMN rolled_back_by TEXT;    -- in the same project and environment

UPDATE deployments SET failed_because = 'incident' WHERE failed;

-- The commits of a deployment, the names and the dates in the same order, one on
-- each line. They are only read together, so a row for each would cost much and
-- give nothing.
CREATE TABLE deployment_commits (
    deployment INTEGER PRIMARY KEY REFERENCES deployments (row),
    names      TEXT NOT NULL,
    dates      TEXT NOT NULL
) STRICT;

CREATE INDEX deployments_by_commit ON deployments (commit_key, project_id, environment, deployed_at)
    WHERE commit_key IS NOT NULL;
CREATE INDEX deployments_with_commits ON deployments (deployed_at, project_id, environment, team_id)
    WHERE deployed_at IS NOT NULL AND commits > 0;
CREATE INDEX deployments_aborted ON deployments (aborted_at, project_id, environment, team_id)
    WHERE aborted_at IS NOT NULL AND deployed_at IS NULL;
CREATE INDEX deployments_failed ON deployments (began_at) WHERE failed;
CREATE INDEX deployments_rolled_back ON deployments (rolled_back_at) WHERE rolled_back_at IS NOT NULL;

DROP INDEX deployments_unfinished;
CREATE INDEX deployments_unfinished ON deployments (began_at) WHERE deployed_at IS NULL AND aborted_at IS NULL;

-- A rollback restores the incidents of what it replaces. A date that is told later
-- replaces the automatic one.
ALTER TABLE incidents ADD COLUMN restored_automatically INTEGER NOT NULL DEFAULT 0;
