-- +goose Up
CREATE TABLE invoice_document (
    seq      INTEGER PRIMARY KEY, -- the order of issuing, over all years
    number   TEXT NOT NULL UNIQUE,
    year     INTEGER NOT NULL,
    n        INTEGER NOT NULL,    -- in the year, from 1 without holes
    tenant   TEXT NOT NULL,
    month    TEXT NOT NULL,
    issued   INTEGER NOT NULL,    -- site time, Unix seconds
    total    INTEGER NOT NULL,    -- micro-dollars, whole cents
    document BLOB NOT NULL,       -- the JSON, as issued
    digest   BLOB NOT NULL,       -- of the document
    chain    BLOB NOT NULL,       -- of the chain before and the digest
    UNIQUE (tenant, month),
    UNIQUE (year, n)
);
-- +goose StatementBegin
CREATE TRIGGER invoice_document_update BEFORE UPDATE ON invoice_document BEGIN SELECT RAISE(ABORT, 'an issued invoice never changes'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER invoice_document_delete BEFORE DELETE ON invoice_document BEGIN SELECT RAISE(ABORT, 'an issued invoice never goes away'); END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE invoice_document;
