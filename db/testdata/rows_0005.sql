-- What the store has written with incidents since the fifth version of the schema.
INSERT INTO incident_counts (project_id, incidents) VALUES ('web', 2), ('api', 1);
