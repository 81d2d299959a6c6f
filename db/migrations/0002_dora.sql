-- What the DORA figures are read from. The figures look at deployments by when
-- they were deployed, which the lists never do.

-- Whether an incident is linked to the deployment. It follows from incidents
-- and is kept here so that a window is read from one index; linking is rare.
ALTER TABLE deployments ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;

UPDATE deployments SET failed = 1 WHERE (id, project_id, environment) IN
    (SELECT deployment_id, project_id, environment FROM incidents WHERE deployment_id IS NOT NULL);

CREATE TRIGGER incidents_fail_deployment_when_recorded AFTER INSERT ON incidents
WHEN NEW.deployment_id IS NOT NULL
BEGIN
    UPDATE deployments SET failed = 1
    WHERE id = NEW.deployment_id AND project_id = NEW.project_id AND environment = NEW.environment AND NOT failed;
END;

CREATE TRIGGER incidents_fail_deployment_when_linked AFTER UPDATE OF deployment_id ON incidents
WHEN NEW.deployment_id IS NOT NULL AND OLD.deployment_id IS NOT NEW.deployment_id
BEGIN
    UPDATE deployments SET failed = 1
    WHERE id = NEW.deployment_id AND project_id = NEW.project_id AND environment = NEW.environment AND NOT failed;
END;

-- Covers every column that a figure needs, so no row is looked up.
CREATE INDEX deployments_by_deployed_at ON deployments
    (deployed_at, first_commit_at, deploy_start_at, rework, failed, project_id, environment, team_id)
    WHERE deployed_at IS NOT NULL;

CREATE INDEX deployments_unfinished ON deployments (began_at) WHERE deployed_at IS NULL;

CREATE INDEX incidents_by_restored_at ON incidents (restored_at) WHERE restored_at IS NOT NULL;
