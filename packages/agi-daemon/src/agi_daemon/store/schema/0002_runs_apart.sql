-- What clients see of a run apart from what only the daemon needs, and results, which may be long,
-- apart from both: a read takes no more than it tells, and SQLite leaves the end of a long row be.

ALTER TABLE runs ADD COLUMN run TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN result TEXT NOT NULL DEFAULT 'null';
UPDATE runs SET
    run = json_remove(json_extract(body, '$.run'), '$.result'),
    result = CASE json_type(body, '$.run.result')
        WHEN 'true' THEN 'true'
        WHEN 'false' THEN 'false'
        ELSE json_quote(json_extract(body, '$.run.result'))
    END,
    body = json_remove(body, '$.run');
