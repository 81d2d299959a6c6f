-- What the store has written with failed deployments since the sixth version of the
-- schema.
UPDATE deployments SET failed_because = 'incident' WHERE failed;
