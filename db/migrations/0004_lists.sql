-- Lists filter by any label and are in the order of time. The columns that follow
-- the time let a list that is filtered by several labels skip rows without
-- reading them.
DROP INDEX deployments_by_project;
CREATE INDEX deployments_by_project ON deployments (project_id, began_at, environment, team_id);
CREATE INDEX deployments_by_team ON deployments (team_id, began_at, environment) WHERE team_id IS NOT NULL;
CREATE INDEX deployments_by_environment ON deployments (environment, began_at);

CREATE INDEX incidents_by_team ON incidents (team_id, started_at) WHERE team_id IS NOT NULL;
CREATE INDEX incidents_by_environment ON incidents (environment, started_at);
CREATE INDEX incidents_unfinished ON incidents (started_at) WHERE finished_at IS NULL;
