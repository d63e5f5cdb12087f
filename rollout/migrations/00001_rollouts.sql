-- +goose Up
CREATE TABLE rollout (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    begun      INTEGER NOT NULL, -- site time, Unix nanoseconds
    ended      INTEGER NOT NULL, -- 0: not yet
    state      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    by         TEXT NOT NULL,
    note       TEXT NOT NULL,
    text       TEXT NOT NULL,
    action     BLOB NOT NULL,    -- JSON; secrets by reference only
    request    BLOB NOT NULL,    -- as it was asked for
    wave       INTEGER NOT NULL,
    stop_after INTEGER NOT NULL
);
CREATE INDEX rollout_open ON rollout (id) WHERE ended = 0;
CREATE TABLE rollout_item (
    rollout INTEGER NOT NULL REFERENCES rollout (id) ON DELETE CASCADE,
    place   INTEGER NOT NULL,
    device  TEXT NOT NULL,
    wave    INTEGER NOT NULL,
    state   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    at      INTEGER NOT NULL, -- of its last change
    told    INTEGER NOT NULL, -- when it was last told
    acked   INTEGER NOT NULL, -- and acknowledged that
    boot    INTEGER NOT NULL, -- when it had started, as it said before it was told
    tries   INTEGER NOT NULL,
    PRIMARY KEY (rollout, place)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE rollout_item;
DROP TABLE rollout;
