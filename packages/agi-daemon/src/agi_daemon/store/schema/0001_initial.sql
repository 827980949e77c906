-- The first schema: what was asked, and a copy of what happened.

CREATE TABLE apps (
    name TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    registered REAL NOT NULL
) STRICT;

-- One row per accepted mutation: a repeat of the request id gives this resource again.
CREATE TABLE requests (
    request_id TEXT PRIMARY KEY,
    method TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    resource TEXT NOT NULL,
    accepted REAL NOT NULL
) STRICT;

CREATE TABLE events (
    subject TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    verbosity INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (subject, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE installations (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    app TEXT NOT NULL,
    settled INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX installations_by_app ON installations (app, number);
CREATE INDEX installations_unsettled ON installations (number) WHERE NOT settled;

CREATE TABLE plans (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    app TEXT NOT NULL,
    latest INTEGER NOT NULL
) STRICT;
CREATE INDEX plans_by_app ON plans (app, number);

CREATE TABLE plan_revisions (
    plan TEXT NOT NULL REFERENCES plans (id),
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    assignment BLOB NOT NULL,
    PRIMARY KEY (plan, revision)
) STRICT, WITHOUT ROWID;

-- The partitions of a plan in columns, a block of them a row; they are the same in each revision.
CREATE TABLE plan_blocks (
    plan TEXT NOT NULL REFERENCES plans (id),
    block INTEGER NOT NULL,
    columns BLOB NOT NULL,
    PRIMARY KEY (plan, block)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    app TEXT NOT NULL,
    state TEXT NOT NULL,
    settled INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_app ON runs (app, number);
CREATE INDEX runs_by_state ON runs (state, number);
CREATE INDEX runs_unsettled ON runs (number) WHERE NOT settled;

CREATE TABLE run_partitions (
    run TEXT NOT NULL REFERENCES runs (id),
    partition TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run, partition)
) STRICT, WITHOUT ROWID;

-- The settings that snippets were rendered from, to say later what has changed since.
CREATE TABLE rendered_settings (
    digest TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
