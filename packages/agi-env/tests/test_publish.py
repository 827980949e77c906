from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agi_env.errors import AlreadyExistsError, ConflictError, StateUnreadableError
from agi_env.runtime import attempt, exclusive_rename
from agi_env.runtime.exclusive_rename import rename_directory
from agi_env.runtime.history import Accepted
from agi_env.runtime.partitions import Partition
from agi_env.runtime.publish import Publication, safe_label
from agi_env.runtime.spec import RunPlan
from agi_env.runtime.work_area import WorkArea


@pytest.fixture
def area(tmp_path: Path) -> WorkArea:
    area = WorkArea(tmp_path / "results", "run-1")
    area.claim(1)
    return area


@pytest.fixture
def publication(toy_run: Any, area: WorkArea) -> Publication:
    partitions = (Partition("a", "JFK 2013/01"), Partition("b", "b"))
    plan = RunPlan("plan-1", 3, partitions, (0, 0))
    finished = {
        each.id: accepted(area, place, each.id.upper()) for place, each in enumerate(partitions)
    }
    return Publication(toy_run.spec, plan, 1, finished, None)


def accepted(area: WorkArea, place: int, value: Any, files: tuple[str, ...] = ()) -> Accepted:
    directory = area.attempt(place, 1, 1)
    out = attempt.create(directory)
    for name in files:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(name)
    stored = attempt.store(directory, attempt.encode(value))
    return Accepted(1, 1, 0.25, stored.sha256)


def test_values_are_published_line_by_line_in_the_order_of_the_plan(
    publication: Publication, area: WorkArea
) -> None:
    path = publication.publish(area)
    assert path == area.destination
    lines = [json.loads(line) for line in (path / "results.jsonl").read_text().splitlines()]
    assert lines == [
        {"id": "a", "label": "JFK 2013/01", "value": "A"},
        {"id": "b", "label": "b", "value": "B"},
    ]


def test_files_and_links_are_published_and_empty_directories_are_not(
    publication: Publication, area: WorkArea
) -> None:
    out = area.attempt(0, 1, 1) / "out"
    (out / "deep" / "empty").mkdir(parents=True)
    (out / "deep" / "file").write_text("content")
    (out / "link").symlink_to("deep/file")
    path = publication.publish(area)
    entry = json.loads((path / "manifest.json").read_text())["partitions"][0]
    assert entry["directory"] == "partitions/000000-JFK-2013-01"
    assert [each["path"] for each in entry["files"]] == ["link", "deep/file"]
    published = path / entry["directory"]
    assert (published / "link").readlink() == Path("deep/file")
    assert (published / "link").read_text() == "content"
    assert not (published / "deep" / "empty").exists()


def test_publishing_again_adopts_what_is_there(publication: Publication, area: WorkArea) -> None:
    path = publication.publish(area)
    before = (path / "manifest.json").read_bytes()
    assert replace(publication, epoch=2).publish(area) == path
    assert (path / "manifest.json").read_bytes() == before


def test_publishing_over_half_a_staging_directory_begins_anew(
    publication: Publication, area: WorkArea
) -> None:
    area.staging(1).mkdir()
    (area.staging(1) / "leftover").touch()
    assert not (publication.publish(area) / "leftover").exists()


def test_what_somebody_else_has_there_is_left_alone(
    publication: Publication, area: WorkArea
) -> None:
    area.destination.mkdir()
    (area.destination / "manifest.json").write_text('{"run_id": "another"}')
    with pytest.raises(AlreadyExistsError):
        publication.publish(area)


def test_an_older_runner_does_not_publish(publication: Publication, area: WorkArea) -> None:
    area.claim(2)
    with pytest.raises(ConflictError):
        publication.publish(area)
    with pytest.raises(ConflictError):
        area.claim(1)
    assert not area.destination.exists()


def test_a_result_that_has_changed_is_not_published(
    publication: Publication, area: WorkArea
) -> None:
    path = area.attempt(0, 1, 1) / "result.json"
    path.write_bytes(path.read_bytes().replace(b'"A"', b'"C"'))
    with pytest.raises(StateUnreadableError):
        publication.publish(area)
    assert not area.destination.exists()


def test_a_stored_value_is_json_with_its_digest(tmp_path: Path) -> None:
    directory = tmp_path / "000000" / "1-1"
    attempt.create(directory)
    stored = attempt.store(directory, attempt.encode({"a": [1, "é"]}))
    assert json.loads((directory / "result.json").read_text()) == {
        "sha256": stored.sha256,
        "value": {"a": [1, "é"]},
    }
    assert json.loads(attempt.load(directory, stored.sha256)) == {"a": [1, "é"]}


def test_a_rename_replaces_nothing(tmp_path: Path) -> None:
    check_refusals(tmp_path, rename_directory)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileExistsError):
        rename_directory(full(tmp_path / "source"), empty)


def test_a_rename_without_help_of_the_file_system_replaces_nothing_of_worth(
    tmp_path: Path,
) -> None:
    check_refusals(tmp_path, exclusive_rename._rename_refusing)


def check_refusals(tmp_path: Path, rename: Any) -> None:
    source, target = full(tmp_path / "new"), tmp_path / "target"
    rename(source, target)
    assert (target / "new").exists()
    file = tmp_path / "file"
    file.touch()
    for taken in (target, file):
        with pytest.raises(FileExistsError):
            rename(full(tmp_path / "other"), taken)
    assert (target / "new").exists()
    with pytest.raises(FileNotFoundError):
        rename(tmp_path / "nothing", tmp_path / "nowhere")


def full(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / directory.name).touch()
    return directory


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("JFK 2013/01", "JFK-2013-01"),
        ("../..", "partition"),
        ("é", "partition"),
        ("x" * 99, "x" * 80),
    ],
)
def test_a_label_becomes_a_harmless_name(label: str, name: str) -> None:
    assert safe_label(label) == name
