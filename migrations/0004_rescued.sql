-- Rescued texts, and how far the log has been examined for them. `docs/storage.md` explains the tables.
-- Times are unix milliseconds of the server's clock.

-- Text that lost its place because somebody else replaced or removed what it was written into: kept
-- beside its document until somebody puts it back or dismisses it.
CREATE TABLE rescued (
    id           TEXT NOT NULL PRIMARY KEY,
    document     INTEGER NOT NULL REFERENCES documents (id),
    at           INTEGER NOT NULL,
    author       TEXT,
    connection   INTEGER NOT NULL,
    -- The Yjs id at which the text began.
    client       INTEGER NOT NULL,
    clock        INTEGER NOT NULL,
    text         TEXT NOT NULL,
    reason       TEXT NOT NULL,
    row_checksum INTEGER
) STRICT;

CREATE INDEX rescued_by_document ON rescued (document, at);
CREATE INDEX rescued_unsummed ON rescued (row_checksum) WHERE row_checksum IS NULL;

-- The first update that has not been examined for text that lost its place; NULL, nearly always: all
-- have. Not covered by row_checksum: it changes with appends, which leave the rest of the row alone.
ALTER TABLE documents ADD COLUMN examine_from INTEGER CHECK (examine_from >= 1);
