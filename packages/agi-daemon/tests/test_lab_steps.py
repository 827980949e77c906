"""The file of steps: what existing users have loads; edits touch nothing else; fuzz never harms."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agi_cluster.model.pipeline import PipelineStep
from agi_daemon.pipelines import lab_change
from agi_daemon.pipelines.lab_edit import Order, Update, edited
from agi_daemon.pipelines.lab_file import LabFile
from agi_env.errors import (
    AgiError,
    EtagMismatchError,
    PipelineInvalidError,
    PipelineNotFoundError,
    PipelineSyntaxError,
    RefusedError,
    RequestInvalidError,
)

TABLES = '''\
# The lab of Ann.

[[flight_telemetry]]
id = "prepare" # first
D = "Prepare"
Q = "Collect the data"
C = "print('prepare')\\n"
R = "runpy"
NB_CELL = 3

# Everything depends on this one.
[[flight_telemetry]]
D = "Train"
Q = "Fit model"
M = ""
C = """
# not a comment
print('train')"""
E = "/path/to/project"
depends_on = ["prepare"]
enabled = true
profiles = {}
automation = { outputs = ["flight/model"], skip_if_outputs_exist = true, parallel_safe = true }

[flight_telemetry.extra]
kept = 1979-05-27

[[flight_telemetry]]
D = "blank: not shown"
Q = ""
C = " "

[__meta__]
schema = "agilab.lab_stages.v1"
version = 1
flight_telemetry__sequence = [1, 0, 7]
'''
INLINE = """\
flight = [ { D = "A", Q = "q", C = "a" }, { Q = "q", C = "b", deps = ["step-1"] } ] # all
[steps]
other = 1
"""
STEP = PipelineStep(id="new", description="New", code="import os\nprint('''x''')\n", engine="runpy")


def lab(text: str) -> LabFile:
    return LabFile.of(Path("/lab/lab_steps.toml"), text.encode())


def ids(file: LabFile) -> list[str]:
    return [each.step.id for each in file.module().steps]


def test_what_existing_users_have_is_read() -> None:
    module = lab(TABLES).module()
    train, prepare = (each.step for each in module.steps)
    assert (train.id, train.number, train.deps, train.engine) == (
        "step-2",
        1,
        ("prepare",),
        "agi.run",
    )
    assert train.outputs == ("flight/model",)
    assert train.skip_if_outputs_exist
    assert (prepare.number, prepare.engine, prepare.description) == (2, "runpy", "Prepare")
    assert not module.serial
    assert lab(TABLES).module("flight_telemetry_project") == module


def test_the_inline_form_is_read() -> None:
    module = lab(INLINE).module()
    assert [each.step.deps for each in module.steps] == [(), ("step-1",)]
    assert module.name == "flight"


def test_only_the_change_is_made_in_tables() -> None:
    file = lab(TABLES)
    added = file.edited(lab_change.added(file.module(), 3, STEP)).document.text
    start, end = added.index('[[flight_telemetry]]\nid = "new"'), added.index("[__meta__]")
    assert added[:start] + added[end:] == TABLES.replace("[1, 0, 7]", "[1, 0, 7, 3]")
    assert lab(added).module().steps[-1].step.code == STEP.code


def test_a_step_goes_with_its_comments_and_the_others_stay() -> None:
    file = lab(TABLES)
    with pytest.raises(RefusedError, match="step-2 depends on it"):
        lab_change.removed(file.module(), 1)
    left = file.edited(lab_change.removed(file.module(), 0)).document.text
    assert "Everything depends" not in left
    assert left.startswith(TABLES[: TABLES.index("# Everything")])
    assert "flight_telemetry__sequence = [0, 6]" in left


def test_a_new_value_touches_its_own_step_only() -> None:
    values = {"C": "a\nb\n", "agi": {"app": "x", "kind": "run"}}
    text = edited(TABLES, [Update(module="flight_telemetry", index=0, values=values)])
    assert text.endswith(TABLES[TABLES.index("\n# Everything") :])
    assert 'id = "prepare" # first' in text
    assert "NB_CELL = 3\nagi = { app" in text


def test_steps_are_moved_in_their_sequence_or_in_the_file() -> None:
    file = lab(TABLES)
    moved = file.edited(lab_change.moved(file.module(), 1, 1))
    assert moved.document.text == TABLES.replace("[1, 0, 7]", "[0, 1]")
    plain = lab(TABLES.replace("flight_telemetry__sequence = [1, 0, 7]\n", ""))
    assert ids(plain) == ["prepare", "step-2"]
    swapped = plain.edited(lab_change.moved(plain.module(), 0, 2))
    assert [each.step.description for each in swapped.module().steps] == ["Train", "Prepare"]
    with pytest.raises(RequestInvalidError):
        lab_change.moved(plain.module(), 0, 3)


def test_the_inline_form_stays_inline() -> None:
    file = lab(INLINE)
    more = file.edited(lab_change.added(file.module(), 2, STEP))
    assert ids(more) == ["step-1", "step-2", "new"]
    assert more.document.text.endswith("# all\n[steps]\nother = 1\n")
    fewer = more.edited(lab_change.removed(more.module(), 2))
    assert tomllib.loads(fewer.document.text) == tomllib.loads(INLINE)


def test_a_first_step_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lab_steps.toml"
    missing = LabFile.read(path, may_be_missing=True)
    module = missing.module(default="lab")
    missing.replace(missing.edited(lab_change.added(module, 0, STEP)))
    assert ids(LabFile.read(path)) == ["new"]
    assert "[__meta__]" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_change_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "lab_steps.toml"
    path.write_text(TABLES)
    path.chmod(0o640)
    file = LabFile.read(path)
    proposed = file.edited(lab_change.removed(file.module(), 0))
    path.write_text(TABLES + "# mine\n")
    with pytest.raises(EtagMismatchError):
        file.replace(proposed)
    assert path.read_text() == TABLES + "# mine\n"
    path.write_text(TABLES)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    LabFile.read(link).replace(proposed)
    assert link.is_symlink()
    assert (path.read_text(), path.stat().st_mode & 0o777) == (proposed.document.text, 0o640)


@pytest.mark.parametrize("text", [TABLES, INLINE, TABLES.replace("\n", "\r\n"), "", "# only\n"])
def test_a_file_that_nothing_changed_in_keeps_every_byte(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lab_stages.toml"
    path.write_bytes(text.encode())
    file = LabFile.read(path)
    file.replace(file.edited([]))
    assert path.read_bytes() == text.encode()


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("[[a]]\nQ = 'x'\nC = 3\n", 3, "C must be a text, not 3"),
        ("[[a]]\nQ = 'x'\nenabled = 'yes'\n", 3, "enabled must be true or false"),
        ("[[a]]\nQ = 'x'\ndeps = ['b']\n", 3, "no such step"),
        ("[[a]]\nid='x'\nQ='q'\n[[a]]\nid='x'\nQ='q'\n", 5, "earlier step"),
        ("[[a]]\nQ='q'\nautomation = 1\n", 3, "automation must be a table"),
        ("[[a]]\nQ='q'\ndeps=['step-2']\n[[a]]\nQ='q'\ndeps=['step-1']\n", 1, "circle"),
        ("[__meta__]\na__sequence = ['x']\n[[a]]\nQ='q'\n", 2, "list of numbers"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(PipelineInvalidError, match=what) as refused:
        lab(text).module()
    assert refused.value.metadata["line"] == str(line)


def test_what_is_no_file_of_steps_is_said() -> None:
    with pytest.raises(PipelineSyntaxError, match=r"lab_steps\.toml:2"):
        lab("a = 1\nb = \n")
    with pytest.raises(PipelineNotFoundError):
        lab("a = 1\n").module()
    with pytest.raises(RequestInvalidError, match="a, b"):
        lab("[[a]]\n[[b]]\n").module()
    with pytest.raises(PipelineNotFoundError):
        lab("[[a]]\n").module("b")


values = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(max_size=6) | st.just(float("nan")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
words = st.sampled_from(["x", "y", "", "step-1"]) | st.text(max_size=8)
rows = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("D", "Q", "C", "M", "E", "R"), words | values),
        "id": words,
        "deps": st.lists(words, max_size=2) | values,
        "enabled": st.booleans() | values,
        "automation": st.dictionaries(
            st.sampled_from(["outputs", "timeout", "parallel_safe"]), values, max_size=3
        )
        | values,
        "other": values,
    },
)
metas = st.dictionaries(
    st.sampled_from(["flight__sequence", "schema"]), st.lists(st.integers(-1, 4)) | values
)


def toml(
    module: str, steps: list[dict[str, Any]], meta: dict[str, Any] | None, inline: bool
) -> str:
    """The file, in one of its two forms."""
    from agi_daemon.pipelines import lab_text

    lines = [lab_text.block(module, row) for row in steps]
    if inline:
        lines = [f"{module} = {lab_text.value(steps)}"]
    if meta is not None:
        lines.append("[__meta__]\n" + "\n".join(lab_text.line(k, v) for k, v in meta.items()))
    return "# head\n" + "\n\n".join(lines) + "\n"


def parse(text: str) -> LabFile | None:
    """The file, or None where it is refused with an error of the catalogue."""
    with contextlib.suppress(PipelineSyntaxError):
        return lab(text)
    return None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(rows, max_size=4),
    st.none() | metas,
    st.booleans(),
    st.sampled_from(["add", "remove", "move", "update", "order"]),
    st.data(),
)
def test_any_steps_load_or_are_refused_and_edits_do_no_harm(
    steps: list[dict[str, Any]],
    meta: dict[str, Any] | None,
    inline: bool,
    act: str,
    data: st.DataObject,
) -> None:
    try:
        text = toml("flight", steps, meta, inline)
    except ValueError:  # nan, which this writer does not have
        return
    file = parse(text)
    if file is None:
        return
    try:
        module = file.module()
        assert file.edited([]).content == text.encode()
        place = data.draw(st.integers(0, max(0, len(module.steps) - 1)))
        edit: Any = lab_change.added(module, len(steps), STEP)
        if module.steps and act == "remove":
            edit = lab_change.removed(module, place)
        elif module.steps and act == "move":
            edit = lab_change.moved(module, place, data.draw(st.integers(1, 4)))
        elif module.steps and act == "update":
            code = data.draw(st.text(max_size=20))
            index = module.steps[place].index
            edit = [Update(module="flight", index=index, values={"C": code, "agi": {"a": code}})]
        elif act == "order":
            edit = [Order(module="flight", sequence=(0,))]
        after = file.edited(edit)
    except AgiError as error:
        assert str(error).count("\n") == 0
        return
    expected = tomllib.loads(text)
    for change in edit:
        change.apply(expected)
    found = tomllib.loads(after.document.text)
    assert repr(found.get("__meta__")) == repr(expected.get("__meta__"))
    assert repr(found.get("flight") or []) == repr(expected.get("flight") or [])
    assert after.document.text.startswith("# head\n")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80) | st.text(alphabet="[]{}ab=\"'#\n.,1 ", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        file = LabFile.of(Path("/lab/lab_steps.toml"), content)
        file.module()
        assert file.edited([]).content == content
    except AgiError as error:
        assert str(error).count("\n") == 0
