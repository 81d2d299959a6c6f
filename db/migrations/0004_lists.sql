-- Lists filter by any label and are in the order of time.
CREATE INDEX deployments_by_team ON deployments (team_id, began_at) WHERE team_id IS NOT NULL;
CREATE INDEX deployments_by_environment ON deployments (environment, began_at);
CREATE INDEX incidents_by_team ON incidents (team_id, started_at) WHERE team_id IS NOT NULL;
CREATE INDEX incidents_by_environment ON incidents (environment, started_at);
CREATE INDEX incidents_unfinished ON incidents (started_at) WHERE finished_at IS NULL;
