-- One row: which history the events belong to. It gets a new random value when the
-- store turns out to hold another history than before.
CREATE TABLE history (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch    TEXT NOT NULL -- empty until the store is opened
) STRICT;

INSERT INTO history VALUES (1, '');

-- What the exporter made of the events up to seq, in parts. A snapshot of which a
-- part is missing is not one.
CREATE TABLE snapshots (
    id       TEXT NOT NULL,
    part     INTEGER NOT NULL,
    parts    INTEGER NOT NULL,
    layout   TEXT NOT NULL, -- what the content means
    epoch    TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    saved_at INTEGER NOT NULL,
    content  BLOB NOT NULL,
    PRIMARY KEY (id, part)
) STRICT;
