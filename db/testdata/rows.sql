-- Rows as the first version of the schema could hold them. They must survive
-- every migration, and mean the same after it.
INSERT INTO deployments (row, project_id, environment, id, team_id, first_commit_at, deploy_start_at,
    planned_deployed_at, deployed_at, rework, began_at, recorded_at) VALUES
    (1, 'web', 'prod', '1', 'blue', 1772600000000, 1772610000000, NULL, 1772610300000, 0, 1772610000000, 1772610000001),
    (2, 'web', 'staging', '1', NULL, 1772600000000, 1772611000000, 1772611200000, NULL, 0, 1772611000000, 1772611000001),
    (3, 'api', 'prod', '1', NULL, 1772600000000, NULL, 1772612000000, 1772612000000, 1, 1772612000000, 1772612000001);
INSERT INTO incidents (row, project_id, environment, id, team_id, number, idempotency_key, deployment_id,
    started_at, restored_at, finished_at, recorded_at) VALUES
    (1, 'web', 'prod', 'incident_web_1', 'blue', 1, 'key', '1', 1772613000000, 1772614000000, 1772615000000, 1772613000001),
    (2, 'web', 'prod', 'b', 'blue', NULL, NULL, '1', 1772616000000, NULL, NULL, 1772616000001),
    (3, 'api', 'prod', 'c', NULL, NULL, NULL, NULL, 1772617000000, 1772617000000, NULL, 1772617000001);
INSERT INTO events (seq, kind, project_id, environment, team_id, subject_id, occurred_at, recorded_at,
    lead_time_ms, deployment_duration_ms, time_to_detect_ms, time_to_restore_ms) VALUES
    (1, 'deployment_started', 'web', 'prod', 'blue', '1', 1772610000000, 1772610000001, NULL, NULL, NULL, NULL),
    (2, 'deployment_deployed', 'web', 'prod', 'blue', '1', 1772610300000, 1772610300001, 10300000, 300000, NULL, NULL),
    (3, 'incident_started', 'web', 'prod', 'blue', 'incident_web_1', 1772613000000, 1772613000001, NULL, NULL, 2700000, NULL),
    (4, 'change_failed', 'web', 'prod', 'blue', '1', 1772613000000, 1772613000001, NULL, NULL, NULL, NULL),
    (5, 'incident_restored', 'web', 'prod', 'blue', 'incident_web_1', 1772614000000, 1772614000001, NULL, NULL, NULL, 1000000);
