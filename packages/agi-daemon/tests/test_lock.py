"""Locks, made by the real resolver from the real index."""

from __future__ import annotations

from pathlib import Path

import pytest

from agi_daemon.install.declarations import Declarations
from agi_daemon.install.lock import Lock, LockFiles, decisive_line
from agi_daemon.install.pure_wheel import runtime_requirements, runtime_wheel
from agi_daemon.install.sources import SourceDigests
from agi_daemon.install.wheel_store import WheelStore
from agi_env.errors import LockFailedError
from agi_env.paths import lock_path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = WheelStore(tmp_path_factory.mktemp("wheels"))
    return store.path(runtime_wheel(SourceDigests()).stored_in(store))


def declared(*dependencies: str, **rest: str) -> Declarations:
    return Declarations(dependencies, runtime_requirements(), source="/a/pyproject.toml", **rest)


def names(lock: Lock) -> set[str]:
    return {entry.requirement.name for entry in lock.entries}


async def test_a_lock_holds_the_app_and_the_runtime_with_hashes(
    tmp_path: Path, wheel: Path
) -> None:
    lock = await LockFiles(tmp_path).ensure(
        "a_project", "worker", declared("six"), runtime_wheel=wheel
    )
    assert {"six", "platformdirs"} <= names(lock)
    assert "agi-env" not in names(lock)
    assert all(entry.hashes for entry in lock.entries)


async def test_a_lock_is_kept_until_what_is_declared_changes(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = LockFiles(tmp_path)
    first = await locks.ensure("a_project", "worker", declared("six<1.17"), runtime_wheel=wheel)
    changed = await locks.ensure("a_project", "worker", declared("six"), runtime_wheel=wheel)
    six = {str(e.requirement) for lock in (first, changed) for e in lock.entries} & {"six==1.16.0"}
    assert six == {"six==1.16.0"} and "six==1.16.0" in changed.text  # what still fits stays
    upgraded = await locks.ensure(
        "a_project", "worker", declared("six"), runtime_wheel=wheel, upgrade=True
    )
    assert "six==1.16.0" not in upgraded.text
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    kept = await LockFiles(tmp_path).ensure(
        "a_project", "worker", declared("six"), runtime_wheel=wheel
    )
    assert kept == upgraded


async def test_roles_that_declare_the_same_share_a_lock(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = LockFiles(tmp_path)
    worker = await locks.ensure("a_project", "worker", declared(), runtime_wheel=wheel)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    assert worker == await locks.ensure("a_project", "manager", declared(), runtime_wheel=wheel)
    assert lock_path(tmp_path, "a_project", "manager").is_file()


@pytest.mark.parametrize(
    ("dependency", "words"),
    [
        ("no-such-package-of-anybody-x7", "not found in the package registry"),
        ("six==99", "no version of six==99"),
        ("six ==", "'six ==' is no dependency"),
    ],
)
async def test_what_cannot_be_resolved_is_named_in_one_line(
    tmp_path: Path, wheel: Path, dependency: str, words: str
) -> None:
    with pytest.raises(LockFailedError, match=words) as caught:
        await LockFiles(tmp_path).ensure(
            "a_project", "worker", declared(dependency), runtime_wheel=wheel
        )
    assert caught.value.where == "/a/pyproject.toml"
    assert not lock_path(tmp_path, "a_project", "worker").exists()


@pytest.mark.parametrize("setting", ["UV_OFFLINE=1", "UV_DEFAULT_INDEX=http://127.0.0.1:9/simple"])
async def test_an_index_that_cannot_be_reached_is_no_fault_of_the_app(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv(*setting.split("=", 1))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(LockFailedError, match="index can be reached"):
        await LockFiles(tmp_path).ensure(
            "a_project", "worker", declared("six"), runtime_wheel=wheel
        )


@pytest.mark.parametrize(
    "dependency",
    [
        "mine @ http://ann:TOKEN@127.0.0.1:9/mine-1.0-py3-none-any.whl",
        "mine @ http://TOKEN@127.0.0.1:9/mine-1.0.tar.gz",
        "mine @ git+http://ann:TOKEN@127.0.0.1:9/mine.git@v1",
        "mine == http://ann:TOKEN@127.0.0.1:9/mine-1.0-py3-none-any.whl",
    ],
)
async def test_no_message_has_the_password_of_a_url(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch, dependency: str
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(LockFailedError, match="mine") as caught:
        await LockFiles(tmp_path).ensure(
            "a_project", "worker", declared(dependency), runtime_wheel=wheel
        )
    assert "TOKEN" not in str(caught.value.to_metadata())


def test_our_own_names_are_never_looked_up_on_an_index() -> None:
    assert declared("agi_env[cluster]>=1", "six", "Agi-Cluster").dependencies == ("six",)


@pytest.mark.parametrize(
    ("requires", "lowest"), [("", "3.11"), (">=3.12", "3.12"), (">=3.9,<3.13", "3.11")]
)
def test_the_lowest_python_is_what_both_sides_take(requires: str, lowest: str) -> None:
    assert declared(requires_python=requires).lowest_python() == lowest


@pytest.mark.parametrize("requires", ["<3.9", "three"])
def test_a_requires_python_that_fits_nothing_is_refused(requires: str) -> None:
    with pytest.raises(LockFailedError):
        declared(requires_python=requires).lowest_python()


def test_the_decisive_line_is_the_reason() -> None:
    said = "error: No solution found\n  cause: Because a was not found and you require b, no.\n"
    assert decisive_line(said) == "Because a was not found and you require b, no."
    assert decisive_line("error: it broke\n\nhint: try this") == "it broke"


def test_no_password_of_a_url_is_repeated() -> None:
    said = (
        "error: Failed to fetch: `https://ann:TOKEN@index.example/simple/six/`\n"
        "  cause: error sending request for url (https://TO@KEN@index.example/simple/six/)\n"
    )
    assert decisive_line(said) == (
        "Failed to fetch: `https://***@index.example/simple/six/`"
        " (error sending request for url (https://***@index.example/simple/six/))"
    )
    assert decisive_line("git+ssh://git@host/a.git@v1 broke") == "git+ssh://***@host/a.git@v1 broke"
    assert decisive_line("https://host/a@b broke: ann@host") == "https://host/a@b broke: ann@host"


def test_a_line_that_is_no_requirement_is_told_without_its_password() -> None:
    with pytest.raises(LockFailedError) as caught:
        Lock.parse("six = https://ann:TOKEN@host/six.whl --hash=sha256:0")
    assert "://***@host/six.whl" in caught.value.what and "TOKEN" not in caught.value.what
