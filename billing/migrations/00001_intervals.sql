-- +goose Up
CREATE TABLE billing_interval (
    subject   TEXT NOT NULL,
    start     INTEGER NOT NULL, -- Unix seconds
    energy    INTEGER NOT NULL, -- milliwatt-hours, of what is known
    hashes    REAL NOT NULL,    -- PH/s times seconds
    quality   INTEGER NOT NULL,
    sources   INTEGER NOT NULL,
    measured  INTEGER NOT NULL, -- nanoseconds, over all sources
    estimated INTEGER NOT NULL,
    missing   INTEGER NOT NULL,
    PRIMARY KEY (subject, start)
);
CREATE INDEX billing_interval_start ON billing_interval (start);
CREATE TABLE billing_close (
    start         INTEGER PRIMARY KEY,
    price         INTEGER, -- micro-dollars per MWh; null: not known yet
    hashprice     INTEGER, -- micro-dollars per PH/s and day; null: not known yet
    short         TEXT NOT NULL,
    energy_posted INTEGER NOT NULL,
    mining_posted INTEGER NOT NULL
);
CREATE INDEX billing_close_pending ON billing_close (start) WHERE energy_posted = 0 OR mining_posted = 0;
CREATE TABLE billing_use (
    start   INTEGER NOT NULL,
    kind    TEXT NOT NULL, -- connection, hall, loss, remainder
    name    TEXT NOT NULL,
    energy  INTEGER NOT NULL,
    share   INTEGER NOT NULL, -- with its part of the losses
    quality INTEGER NOT NULL,
    PRIMARY KEY (start, kind, name)
);

-- +goose Down
DROP TABLE billing_use;
DROP TABLE billing_close;
DROP TABLE billing_interval;
