-- What triggers added to those rows in the second version of the schema, and the
-- store itself writes since the third.
UPDATE deployments SET failed = 1 WHERE project_id = 'web' AND environment = 'prod' AND id = '1';
UPDATE incidents SET deployment_deployed_at = 1772610300000 WHERE deployment_id = '1';
