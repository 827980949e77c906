-- The hosts that were enrolled, with the keys that were accepted for them.

CREATE TABLE hosts (
    address TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
