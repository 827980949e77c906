-- Plans that are edited: places in blocks of which a revision stores those that it changed, weights
-- as numbers, marks by which an id is found, and slots apart from what a list shows.

-- What a plan was made from: the call, what it meant, and the digest of what the app named.
ALTER TABLE plans ADD COLUMN origin TEXT;

-- The weights of a block as doubles; NULL in plans of earlier versions, which have them in the text.
ALTER TABLE plan_blocks ADD COLUMN weights BLOB;

CREATE TABLE plan_marks (
    plan TEXT NOT NULL REFERENCES plans (id),
    bucket INTEGER NOT NULL,
    marks BLOB NOT NULL,
    positions BLOB NOT NULL,
    PRIMARY KEY (plan, bucket)
) STRICT, WITHOUT ROWID;

-- A block of places as it is from a revision on, until a later revision has one of its own.
CREATE TABLE plan_places (
    plan TEXT NOT NULL REFERENCES plans (id),
    block INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    digest BLOB NOT NULL,
    slots BLOB NOT NULL,
    pins BLOB NOT NULL,
    PRIMARY KEY (plan, block, revision)
) STRICT, WITHOUT ROWID;

-- The functions cut an array of places into blocks; see migrations.py.
INSERT INTO plan_places
    SELECT b.plan, b.block, r.revision,
        places_digest(r.assignment, b.block), places_block(r.assignment, b.block), x''
    FROM plan_revisions r JOIN plan_blocks b ON b.plan = r.plan;

CREATE TABLE revisions (
    plan TEXT NOT NULL REFERENCES plans (id),
    revision INTEGER NOT NULL,
    -- The revision whose places and pins this one shows: itself, unless it goes back to another.
    shows INTEGER NOT NULL,
    -- The revision that the planner placed and this one descends from.
    placed INTEGER NOT NULL,
    body TEXT NOT NULL,
    slots TEXT NOT NULL,
    PRIMARY KEY (plan, revision)
) STRICT, WITHOUT ROWID;
INSERT INTO revisions
    SELECT plan, revision, revision, revision,
        json_set(json_remove(body, '$.slots'), '$.slot_count', json_array_length(body, '$.slots')),
        json_extract(body, '$.slots')
    FROM plan_revisions;
DROP TABLE plan_revisions;
ALTER TABLE revisions RENAME TO plan_revisions;
