-- Packed rows of the log, versions, retired lineages and rescued branches. `docs/storage.md` explains the tables.
-- Times are unix milliseconds of the server's clock.

-- Rows that were moved out of `updates`, packed: those with seq from `first` to `last`. Together with
-- `updates` they are the log; a row is in one of the two. The bytes have the format of `crdt/pack`.
-- Checksum: as of an update at `last`, with first, first_at and last_at (8 bytes big-endian each) before the bytes.
CREATE TABLE segments (
    document INTEGER NOT NULL REFERENCES documents (id),
    first    INTEGER NOT NULL CHECK (first >= 1),
    last     INTEGER NOT NULL CHECK (last >= first),
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    bytes    BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (document, last)
) STRICT;

-- Moments of a document that are kept whatever is thinned.
CREATE TABLE versions (
    id         TEXT NOT NULL PRIMARY KEY,
    document   INTEGER NOT NULL REFERENCES documents (id),
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('named', 'session', 'restore')),
    created_by TEXT
) STRICT;

CREATE INDEX versions_by_document ON versions (document, seq);

-- Counts the lives of a name, from 1: a document that was purged and made again has a new one.
ALTER TABLE documents ADD COLUMN epoch INTEGER NOT NULL DEFAULT 1;

-- Which client ids, and how far, the earlier lives of a name have used. The document is named, not
-- referred to: its row is gone.
CREATE TABLE retired (
    document TEXT NOT NULL COLLATE BINARY,
    epoch    INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    -- An encoded Yjs state vector.
    clocks   BLOB NOT NULL,
    PRIMARY KEY (document, epoch)
) STRICT;

-- What copies of an earlier life brought along: kept beside the document, never in it.
CREATE TABLE branches (
    id         TEXT NOT NULL PRIMARY KEY,
    document   TEXT NOT NULL COLLATE BINARY,
    at         INTEGER NOT NULL,
    author     TEXT,
    connection INTEGER NOT NULL,
    -- A Yjs v1 update: all that the copy held.
    bytes      BLOB NOT NULL,
    checksum   INTEGER NOT NULL
) STRICT;

CREATE INDEX branches_by_document ON branches (document, at);

-- Checksums over the other columns of a row, as `store/row_sums` makes them, where a row may change.
-- NULL only within a transaction, and until the first start after this migration.
ALTER TABLE documents ADD COLUMN row_checksum INTEGER;
ALTER TABLE quarantine ADD COLUMN row_checksum INTEGER;
ALTER TABLE share_links ADD COLUMN row_checksum INTEGER;
ALTER TABLE revocations ADD COLUMN row_checksum INTEGER;
ALTER TABLE versions ADD COLUMN row_checksum INTEGER;
ALTER TABLE retired ADD COLUMN row_checksum INTEGER;
ALTER TABLE branches ADD COLUMN row_checksum INTEGER;

-- Those without one are found at once. All of these are empty nearly always.
CREATE INDEX documents_unsummed ON documents (row_checksum) WHERE row_checksum IS NULL;
CREATE INDEX quarantine_unsummed ON quarantine (row_checksum) WHERE row_checksum IS NULL;
CREATE INDEX share_links_unsummed ON share_links (row_checksum) WHERE row_checksum IS NULL;
CREATE INDEX revocations_unsummed ON revocations (row_checksum) WHERE row_checksum IS NULL;
CREATE INDEX versions_unsummed ON versions (row_checksum) WHERE row_checksum IS NULL;
CREATE INDEX retired_unsummed ON retired (row_checksum) WHERE row_checksum IS NULL;
CREATE INDEX branches_unsummed ON branches (row_checksum) WHERE row_checksum IS NULL;
