-- +goose Up
CREATE TABLE usage_name ( -- names of tenants and lists that stand in many rows, each once
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE usage_row (
    tenant   INTEGER NOT NULL REFERENCES usage_name (id),
    start    INTEGER NOT NULL, -- Unix seconds
    revision INTEGER NOT NULL, -- from 0; the highest counts
    mark     INTEGER NOT NULL, -- the count of changes at which it came
    critical INTEGER NOT NULL, -- milliwatt-hours
    losses   INTEGER NOT NULL,
    house    INTEGER NOT NULL,
    quality  INTEGER NOT NULL,
    cost     INTEGER,          -- micro-dollars; null: not known
    peak     INTEGER NOT NULL, -- milliwatts
    gpus     INTEGER,          -- usage_name; null: none
    evidence INTEGER,          -- usage_name; null: none
    delivery TEXT,             -- wanted, short, down, reduced; null: none
    PRIMARY KEY (tenant, start, revision)
) WITHOUT ROWID;
CREATE TABLE usage_balance (
    start       INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    mark        INTEGER NOT NULL,
    meter       INTEGER NOT NULL,
    tenants     INTEGER NOT NULL,
    mining      INTEGER NOT NULL,
    house       INTEGER NOT NULL,
    remainder   INTEGER NOT NULL,
    tenant_load INTEGER NOT NULL,
    mining_load INTEGER NOT NULL,
    house_load  INTEGER NOT NULL,
    losses      INTEGER NOT NULL,
    quality     INTEGER NOT NULL,
    levels      TEXT NOT NULL, -- JSON
    PRIMARY KEY (start, revision)
) WITHOUT ROWID;
CREATE TABLE usage_event (
    tenant    INTEGER NOT NULL REFERENCES usage_name (id),
    kind      TEXT NOT NULL,
    since     INTEGER NOT NULL, -- Unix nanoseconds
    ref       TEXT NOT NULL,
    revision  INTEGER NOT NULL,
    mark      INTEGER NOT NULL,
    until     INTEGER,          -- Unix nanoseconds; null: still on
    power     INTEGER NOT NULL, -- milliwatts
    consented TEXT NOT NULL,
    announced INTEGER,          -- Unix nanoseconds; null: never
    why       TEXT NOT NULL,
    PRIMARY KEY (tenant, since, kind, ref, revision)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE usage_event;
DROP TABLE usage_balance;
DROP TABLE usage_row;
DROP TABLE usage_name;
