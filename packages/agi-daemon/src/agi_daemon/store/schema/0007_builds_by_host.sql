-- A run's build has a path on each of its hosts; so far there was only this machine.

UPDATE runs SET body = json_remove(
    json_set(body, '$.builds', json_object('127.0.0.1', json_extract(body, '$.build'))), '$.build'
) WHERE coalesce(json_extract(body, '$.build'), '') != '';
