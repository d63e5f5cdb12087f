-- +goose Up
CREATE TABLE journal_entry (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL, -- site time, Unix nanoseconds
    wall    INTEGER NOT NULL, -- machine time, Unix nanoseconds
    plan    INTEGER NOT NULL,
    subject TEXT NOT NULL,
    device  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    code    TEXT NOT NULL,
    text    TEXT NOT NULL,
    detail  BLOB
);
CREATE INDEX journal_entry_device ON journal_entry (device, seq) WHERE device <> '';
CREATE INDEX journal_entry_award ON journal_entry (subject, seq) WHERE kind = 'award';
CREATE INDEX journal_entry_at ON journal_entry (at);

-- +goose Down
DROP TABLE journal_entry;
