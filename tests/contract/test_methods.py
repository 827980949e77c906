"""The table of all methods against what a daemon serves: nothing can be added and forgotten."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agi_env.errors import catalogue

STANDARD = {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
PROTOS = sorted((Path(__file__).parents[2] / "proto").rglob("*.proto"))
FIELDS = {
    "get": set(),
    "list": {"page_size", "page_token"},
    "watch": {"after_sequence"},
    "stream": set(),
    "probe": set(),
    "change": {"request_id", "validate_only"},
}
"""The fields of a request by which its kind is known; no request has those of another kind."""


def test_every_method_that_is_served_has_a_row(wire: Any, table: Any) -> None:
    assert wire.methods().keys() == table.keys()
    assert {name for name in wire.services if not name.startswith("agi.v1.")} == STANDARD


def test_the_messages_of_each_method_are_those_of_its_kind(wire: Any, table: Any) -> None:
    marks = set().union(*FIELDS.values())
    for name, rpc in wire.methods().items():
        kind, fields = table[name].kind, set(rpc.input_type.fields_by_name)
        assert fields & marks == FIELDS[kind], name
        assert rpc.server_streaming == (kind in ("watch", "stream", "probe")), name
        assert not rpc.client_streaming
        assert table[name].etag == ("etag" in fields), name
        answer = rpc.output_type
        assert ("next_page_token" in answer.fields_by_name) == (kind == "list"), name
        assert ("update" in answer.oneofs_by_name) == (kind == "watch"), name


def test_every_state_begins_unspecified(wire: Any) -> None:
    answers = [rpc.output_type for rpc in wire.methods().values()]
    enums = {enum.full_name: enum for answer in answers for enum in answer.enum_types}
    assert {"agi.v1.Run.State", "agi.v1.Installation.State"} <= enums.keys()
    for enum in enums.values():
        assert re.fullmatch(r"[A-Z_]+_UNSPECIFIED", enum.values_by_number[0].name)


def test_the_codes_that_a_comment_names_are_provoked(table: Any) -> None:
    for name, documented in comments().items():
        (row,) = [row for row in table.values() if row.name.endswith(f".{name}")]
        provoked = {case["code"] for case in row.refused} | {*row.elsewhere}
        assert documented <= provoked, name
        assert provoked <= catalogue().keys(), name


def comments() -> dict[str, set[str]]:
    """The codes in the comment of each method."""
    method = re.compile(r"((?:^ *//.*\n)+) *rpc (\w+)\(", re.M)
    found = {
        name: set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", comment.partition("Errors:")[2]))
        for proto in PROTOS
        for comment, name in method.findall(proto.read_text(encoding="utf-8"))
    }
    assert sum(map(len, found.values())) > 20
    return found


def test_a_get_asked_again_answers_the_same_and_changes_nothing(
    world: Any, wire: Any, a_get: Any
) -> None:
    request = world.filled(a_get.request)
    first = wire.call(a_get.name, request)
    before = world.state()
    assert wire.call(a_get.name, request) == first
    assert world.state() == before


def test_a_stream_has_an_end_and_can_be_asked_again(world: Any, wire: Any, a_stream: Any) -> None:
    request = world.filled(a_stream.request)
    assert wire.ask(a_stream.name, request) == wire.ask(a_stream.name, request)


def test_a_probe_ends_with_all_that_it_told(world: Any, wire: Any, a_probe: Any) -> None:
    before = world.state()
    *told, last = wire.ask(a_probe.name, world.filled(a_probe.request))
    assert [step.step for step in told] and len(told) == len(last.diagnosis.steps)
    assert last.diagnosis.hosts == ["127.0.0.1"] and last.diagnosis.healthy
    assert world.state() == before


@pytest.mark.parametrize("form", ["apps/toy_project", "toy_project", "toy", "{app_path}"])
def test_an_app_has_three_forms(world: Any, wire: Any, form: str) -> None:
    request = {"name": world.filled(form)}
    assert wire.call("AppService.GetApp", request).name == "apps/toy_project"
