-- Benchmarks: the same run in several modes; the runs themselves are in `runs`.
CREATE TABLE benchmarks (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    app TEXT NOT NULL,
    settled INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX benchmarks_by_app ON benchmarks (app, number);
CREATE INDEX benchmarks_unsettled ON benchmarks (number) WHERE NOT settled;
