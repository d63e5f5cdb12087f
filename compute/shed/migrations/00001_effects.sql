-- +goose Up
CREATE TABLE compute_effect (
    cluster TEXT NOT NULL,
    key     TEXT NOT NULL, -- verb/target
    doc     TEXT NOT NULL, -- the effect with what stood before it
    PRIMARY KEY (cluster, key)
);
-- How long each job was paused, for its budget and the tenant's record.
CREATE TABLE compute_pause (
    cluster TEXT NOT NULL,
    job     TEXT NOT NULL,
    since   INTEGER NOT NULL, -- unix seconds, site time
    until   INTEGER NOT NULL, -- 0: still paused
    PRIMARY KEY (cluster, job, since)
);

-- +goose Down
DROP TABLE compute_pause;
DROP TABLE compute_effect;
