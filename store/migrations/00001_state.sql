-- +goose Up
CREATE TABLE store_state (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
);

-- +goose Down
DROP TABLE store_state;
