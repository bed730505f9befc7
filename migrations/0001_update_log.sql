-- The update log, its snapshots, and what could not be taken. `docs/storage.md` explains the tables.
-- Times are unix milliseconds of the server's clock. Checksums are CRC-32 (IEEE) over the document's
-- name, a zero byte, seq as 8 bytes big-endian, and the bytes.

-- "cosc": tells a coscribe database from any other SQLite file.
PRAGMA application_id = 1668248419;

CREATE TABLE documents (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE COLLATE BINARY,
    created_at INTEGER NOT NULL
) STRICT;

-- Append-only. seq counts from 1 for each document, without gaps.
CREATE TABLE updates (
    document   INTEGER NOT NULL REFERENCES documents (id),
    seq        INTEGER NOT NULL CHECK (seq >= 1),
    at         INTEGER NOT NULL,
    author     TEXT,
    connection INTEGER NOT NULL,
    bytes      BLOB NOT NULL,
    checksum   INTEGER NOT NULL,
    PRIMARY KEY (document, seq)
) STRICT, WITHOUT ROWID;

-- A cache of the log: the whole state as of seq.
CREATE TABLE snapshots (
    document INTEGER NOT NULL REFERENCES documents (id),
    seq      INTEGER NOT NULL CHECK (seq >= 1),
    at       INTEGER NOT NULL,
    bytes    BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (document, seq)
) STRICT;

-- Updates that the server refused to integrate, newest last, a bounded number for each document.
CREATE TABLE quarantine (
    id         INTEGER PRIMARY KEY,
    document   INTEGER NOT NULL REFERENCES documents (id),
    at         INTEGER NOT NULL,
    author     TEXT,
    connection INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    bytes      BLOB NOT NULL
) STRICT;

CREATE INDEX quarantine_by_document ON quarantine (document, id);
