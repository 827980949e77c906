-- Executions of pipelines, and what their steps asked for.

CREATE TABLE pipeline_runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    file TEXT NOT NULL,
    module TEXT NOT NULL,
    settled INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX pipeline_runs_by_file ON pipeline_runs (file, number);
CREATE INDEX pipeline_runs_unsettled ON pipeline_runs (number) WHERE NOT settled;

-- The tokens of steps. What is asked with one that is closed is refused: a step that was stopped
-- starts nothing any more.
CREATE TABLE step_tokens (
    token TEXT PRIMARY KEY,
    pipeline_run TEXT NOT NULL REFERENCES pipeline_runs (id),
    step TEXT NOT NULL,
    open INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was made with a token, written in the transaction that makes it.
CREATE TABLE step_resources (
    number INTEGER PRIMARY KEY,
    token TEXT NOT NULL REFERENCES step_tokens (token),
    method TEXT NOT NULL,
    resource TEXT NOT NULL
) STRICT;
CREATE INDEX step_resources_by_token ON step_resources (token, number);

-- The sources of apps that snippets were rendered from, to say later what has changed since.
CREATE TABLE rendered_sources (
    digest TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
