-- What the DORA figures are read from. They look at deployments by when they
-- were deployed and at incidents by when they were restored, which the lists
-- never do, and read a window from one index each, without a look at the rows.

-- Whether an incident is linked to the deployment, and when the deployment that
-- an incident is linked to was deployed. Both follow from what is stored, and
-- the triggers keep them so; linking is rare.
ALTER TABLE deployments ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN deployment_deployed_at INTEGER;

UPDATE incidents SET deployment_deployed_at =
    (SELECT deployed_at FROM deployments d
     WHERE d.id = deployment_id AND d.project_id = incidents.project_id AND d.environment = incidents.environment)
WHERE deployment_id IS NOT NULL;

UPDATE deployments SET failed = 1 WHERE (id, project_id, environment) IN
    (SELECT deployment_id, project_id, environment FROM incidents WHERE deployment_id IS NOT NULL);

CREATE TRIGGER incidents_recorded_with_a_deployment AFTER INSERT ON incidents
WHEN NEW.deployment_id IS NOT NULL
BEGIN
    UPDATE deployments SET failed = 1
    WHERE id = NEW.deployment_id AND project_id = NEW.project_id AND environment = NEW.environment AND NOT failed;
    UPDATE incidents SET deployment_deployed_at =
        (SELECT deployed_at FROM deployments
         WHERE id = NEW.deployment_id AND project_id = NEW.project_id AND environment = NEW.environment)
    WHERE row = NEW.row;
END;

CREATE TRIGGER incidents_linked_to_a_deployment AFTER UPDATE OF deployment_id ON incidents
WHEN NEW.deployment_id IS NOT NULL AND OLD.deployment_id IS NOT NEW.deployment_id
BEGIN
    UPDATE deployments SET failed = 1
    WHERE id = NEW.deployment_id AND project_id = NEW.project_id AND environment = NEW.environment AND NOT failed;
    UPDATE incidents SET deployment_deployed_at =
        (SELECT deployed_at FROM deployments
         WHERE id = NEW.deployment_id AND project_id = NEW.project_id AND environment = NEW.environment)
    WHERE row = NEW.row;
END;

CREATE TRIGGER failed_deployments_deployed AFTER UPDATE OF deployed_at ON deployments
WHEN NEW.failed AND NEW.deployed_at IS NOT OLD.deployed_at
BEGIN
    UPDATE incidents SET deployment_deployed_at = NEW.deployed_at
    WHERE deployment_id = NEW.id AND project_id = NEW.project_id AND environment = NEW.environment;
END;

CREATE INDEX deployments_by_deployed_at ON deployments
    (deployed_at, first_commit_at, deploy_start_at, rework, failed, project_id, environment, team_id)
    WHERE deployed_at IS NOT NULL;

CREATE INDEX deployments_unfinished ON deployments (began_at) WHERE deployed_at IS NULL;

CREATE INDEX incidents_by_restored_at ON incidents
    (restored_at, started_at, deployment_id, deployment_deployed_at, project_id, environment, team_id)
    WHERE restored_at IS NOT NULL;
