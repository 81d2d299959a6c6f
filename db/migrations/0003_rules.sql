-- Whether a deployment failed, and when the deployment that an incident is linked
-- to was deployed, is written with the rows: the one place that decides it is the
-- rule that links an incident.
DROP TRIGGER incidents_recorded_with_a_deployment;
DROP TRIGGER incidents_linked_to_a_deployment;
DROP TRIGGER failed_deployments_deployed;

-- Which deployment was live at a time.
CREATE INDEX deployments_live ON deployments (project_id, environment, deployed_at)
    WHERE deployed_at IS NOT NULL;
