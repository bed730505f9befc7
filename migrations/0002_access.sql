-- Deleted documents, share links and revocations. `docs/storage.md` explains the tables.
-- Times are unix milliseconds of the server's clock.

-- NULL: the document is live. A deleted one keeps its rows until it is purged.
ALTER TABLE documents ADD COLUMN deleted_at INTEGER;

-- The document is named, not referred to: a link may be there before its document.
CREATE TABLE share_links (
    id          TEXT NOT NULL PRIMARY KEY,
    document    TEXT NOT NULL COLLATE BINARY,
    level       TEXT NOT NULL CHECK (level IN ('read', 'comment', 'write', 'admin')),
    secret_hash BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    label       TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    created_by  TEXT,
    expires_at  INTEGER,
    revoked_at  INTEGER
) STRICT;

CREATE INDEX share_links_by_document ON share_links (document, created_at);

-- Tokens that are refused although their signature is good: all of a subject that were issued
-- until `at`, or the one with this id.
CREATE TABLE revocations (
    id         TEXT NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('subject', 'token')),
    value      TEXT NOT NULL COLLATE BINARY,
    at         INTEGER NOT NULL,
    created_by TEXT,
    UNIQUE (kind, value)
) STRICT;
