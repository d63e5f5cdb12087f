-- +goose Up
CREATE TABLE ledger_tx (
    seq    INTEGER PRIMARY KEY,
    ident  TEXT NOT NULL UNIQUE,
    at     INTEGER NOT NULL, -- site time, Unix seconds
    memo   TEXT NOT NULL,
    digest BLOB NOT NULL,    -- of the content
    chain  BLOB NOT NULL     -- of the chain before and the digest
);
CREATE INDEX ledger_tx_at ON ledger_tx (at);
CREATE TABLE ledger_line (
    seq     INTEGER NOT NULL REFERENCES ledger_tx (seq),
    n       INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    account TEXT NOT NULL,
    amount  INTEGER NOT NULL, -- micro-dollars, debit positive
    energy  INTEGER NOT NULL, -- milliwatt-hours
    PRIMARY KEY (seq, n)
);
CREATE INDEX ledger_line_account ON ledger_line (account, at);
-- +goose StatementBegin
CREATE TRIGGER ledger_tx_update BEFORE UPDATE ON ledger_tx BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER ledger_tx_delete BEFORE DELETE ON ledger_tx BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER ledger_line_update BEFORE UPDATE ON ledger_line BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER ledger_line_delete BEFORE DELETE ON ledger_line BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE ledger_line;
DROP TABLE ledger_tx;
