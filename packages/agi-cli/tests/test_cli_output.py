"""Results as JSON: the API's messages, alone on stdout."""

from __future__ import annotations

import json

import pytest

COMMANDS = {
    "apps list": "apps",
    "apps show weather": "name",
    "apps register /apps/weather_project": "name",
    "apps new weather_project": "name",
    "settings show weather": "etag",
    "settings set weather cluster.pool=true": "etag",
    "settings unset weather args.x": "etag",
    "settings reset weather": "etag",
    "install weather": "hosts",
    "install weather --dry-run": "hosts",
    "distribute weather": "slots",
    "run weather": "result",
    "run weather --detach": "state",
    "run weather --dry-run": "state",
    "runs list": "runs",
    "runs show weather-r1": "result",
    "runs partitions weather-r1": "partitions",
    "runs watch weather-r1": "result",
    "runs cancel weather-r1": "state",
    "plans list": "plans",
    "plans show plans/weather-1": "slots",
    "plans partitions plans/weather-1": "partitions",
    "hosts list": "hosts",
    "hosts show node1": "fingerprint",
    "hosts add ann@node1:22": "state",
    "hosts add node1 --dry-run": "state",
    "hosts trust node1 --fingerprint SHA256:aaa": "fingerprint",
    "hosts check node1 node2": "hosts",
    "hosts drain node1": "drained",
    "hosts resume node1": "drained",
    "hosts remove node1": "name",
    "snippet install weather": "text",
    "snippet distribute weather": "text",
    "snippet run weather": "text",
    "daemon start": "pid",
    "daemon status": "pid",
    "daemon stop": "pid",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_stdout_is_one_json_object_and_nothing_else(terminal, command):
    assert terminal.type(*command.split(), "-o", "json") == 0
    assert COMMANDS[command] in json.loads(terminal.shown)


def test_a_run_is_the_message_of_the_api_with_its_defaults(terminal):
    terminal.type("runs", "show", "weather-r1", "-o", "json")
    run = json.loads(terminal.shown)

    assert run["name"] == "runs/weather-r1"
    assert run["state"] == "STATE_SUCCEEDED"
    assert run["createTime"] == "2026-01-02T12:00:00Z"
    assert run["progress"]["failed"] == 0
    assert run["result"]["rows"][0] == {"city": "Oslo", "rain": 1.5}


def test_values_of_apps_are_as_apps_gave_them(terminal):
    for words in (["runs", "show", "weather-r1"], ["runs", "watch", "weather-r1"]):
        terminal.type(*words, "-o", "json")
        assert '"days": 3,' in terminal.shown  # no 3.0: what counts with it would fail
        assert terminal.shown.index('"days"') < terminal.shown.index('"rows"')
    terminal.type("settings", "show", "weather", "-o", "json")
    assert '"nfile": 2' in terminal.shown and "2.0" not in terminal.shown


def test_a_list_carries_the_token_of_its_next_page(terminal):
    terminal.type("runs", "list", "-n", "1", "-o", "json")
    assert json.loads(terminal.shown)["nextPageToken"] == "1"
