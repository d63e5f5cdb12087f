-- +goose Up
CREATE TABLE discover_device (
    device  TEXT PRIMARY KEY,
    mac     TEXT NOT NULL,
    serial  TEXT NOT NULL,
    make    TEXT NOT NULL,
    model   TEXT NOT NULL,
    address TEXT NOT NULL, -- where it is; empty: nowhere that is known
    file    TEXT NOT NULL, -- what the site file said when it was found at another address; else empty
    seen    INTEGER NOT NULL -- machine time, Unix nanoseconds
);

-- +goose Down
DROP TABLE discover_device;
