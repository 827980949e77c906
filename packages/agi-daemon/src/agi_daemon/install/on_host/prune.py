"""What nothing needs any more on a host: found, and removed where that is asked for.

A build is kept while a run shares its lock, while it is one of the newest of its kind, while it was
used lately, and as long as the manager says so. Everything else that it shares files with goes too.
"""

# pathlib would add a third to the time that a check takes; these paths are all below our root.
# ruff: noqa: PTH104, PTH108, PTH110, PTH112, PTH208, S108
from __future__ import annotations

import fcntl
import os
import shutil
import struct
import time

from agi_daemon.install.on_host.files import files_below, held, read_json
from agi_daemon.install.on_host.talk import say, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, BinaryIO

_DAY_S = 86400.0
_SETTLING_S = 3600.0  # what is younger may belong to an install that is under way
_FLOCK = struct.Struct("@hhqqi0q")  # see fcntl(2); what a run's lock is asked with


def prune(root: str, request: Mapping[str, Any], _: BinaryIO) -> dict[str, Any]:
    """What is removed, or would be, and the builds that are kept."""
    builds = sorted(_builds(root), key=lambda build: -build["used"])
    kept, doomed = _judged(root, builds, request)
    if request["remove"]:
        for build in [build for build in doomed if not _removed(root, build)]:
            doomed.remove(build)
            kept.append({**build, "why": "in use"})
    removed = [_item("BUILD", b["build"], b["bytes"], b["kind"]) for b in doomed]
    if doomed:
        removed += _cache(root, request)
    removed += [*_wheels(root, request, kept), *_runs(root, request), *_drafts(root, request)]
    staying = [_item("BUILD", b["build"], b["bytes"], f"{b['kind']}: {b['why']}") for b in kept]
    return {"removed": removed, "kept": staying}


def main(stream: BinaryIO) -> None:
    """Answer the one question that the stream asks."""
    serve(stream, prune)


def _builds(root: str) -> Iterator[dict[str, Any]]:
    for name in _names(root + "/builds"):
        path = f"{root}/builds/{name}"
        manifest = read_json(path + "/manifest.json")
        if not manifest:
            continue
        yield {
            "build": name,
            "kind": manifest.get("kind", ""),
            "release": manifest["release"]["digest"],
            "wheels": {wheel[0] for wheel in manifest["wheels"]},
            "used": _time(path + ".lock") or manifest["made"],
            "bytes": _own_bytes(path),
        }


def _judged(
    root: str, builds: list[dict[str, Any]], request: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Builds to keep, each with the reason, and builds to remove; the newest come first."""
    kept: list[dict[str, Any]] = []
    doomed: list[dict[str, Any]] = []
    releases: dict[str, set[str]] = {}
    since = time.time() - request["unused_days"] * _DAY_S
    for build in builds:
        newest = releases.setdefault(build["kind"], set())
        if len(newest) < request["keep"]:
            newest.add(build["release"])
        if build["build"] in request["needed"]:
            kept.append({**build, "why": "needed by a run that is not settled"})
        elif build["release"] in newest:
            kept.append({**build, "why": "one of the newest"})
        elif build["used"] > since:
            kept.append({**build, "why": "used lately"})
        elif _is_shared(f"{root}/builds/{build['build']}.lock"):
            kept.append({**build, "why": "in use"})
        else:
            doomed.append(build)
    return kept, doomed


def _removed(root: str, build: Mapping[str, Any]) -> bool:
    """Remove a build, alone with its locks; False where somebody has one."""
    name = build["build"]
    path, away = f"{root}/builds/{name}", f"{root}/tmp/{name}.{os.getpid()}.removed"
    making, using = _alone(f"{root}/tmp/{name}.lock"), _alone(path + ".lock")
    try:
        if making is None or using is None:
            return False
        os.rename(path, away)
        os.unlink(path + ".lock")
    finally:
        for handle in (making, using):
            if handle is not None:
                os.close(handle)
    say("working")
    shutil.rmtree(away, ignore_errors=True)
    return True


def _cache(root: str, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What uv keeps: files of builds that are gone as well; it is filled again when needed."""
    path = root + "/uv-cache"
    size = _own_bytes(path, links=1)
    if request["remove"]:
        with held(root + "/tmp/uv-cache.lock", shared=False):
            shutil.rmtree(path, ignore_errors=True)
    return [_item("CACHE", "uv-cache", size, "")]


def _wheels(
    root: str, request: Mapping[str, Any], kept: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    wanted = set().union(*(build["wheels"] for build in kept))
    found = []
    for sha in _names(root + "/wheels"):
        folder = f"{root}/wheels/{sha}"
        if sha in wanted or _is_young(folder):
            continue
        found.append(_item("WHEEL", ", ".join(_names(folder)), _own_bytes(folder), ""))
        _remove(folder, request)
    return found


def _runs(root: str, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Directories of runs that the manager knows to be over, unless something of one lives on."""
    found = []
    for name in request["runs"]:
        folder = f"{root}/runs/{name}"
        if not os.path.isdir(folder) or any(_is_held(lock) for lock in _run_locks(folder)):
            continue
        found.append(_item("RUN", name, _own_bytes(folder), ""))
        _remove(folder, request)
    return found


def _run_locks(folder: str) -> list[str]:
    workers = [f"{folder}/workers/{slot}" for slot in _names(folder + "/workers")]
    return [f"{place}/runner.lock" for place in (folder, *workers)]


def _drafts(root: str, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What installs left that were killed."""
    found = []
    for name in _names(root + "/tmp"):
        path = f"{root}/tmp/{name}"
        if name.endswith(".lock") or _is_young(path):
            continue
        found.append(_item("DRAFT", name, _own_bytes(path), ""))
        _remove(path, request)
    return found


def _remove(path: str, request: Mapping[str, Any]) -> None:
    if not request["remove"]:
        return
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        os.unlink(path)


def _item(kind: str, item: str, size: int, detail: str) -> dict[str, Any]:
    return {"kind": kind, "item": item, "size_bytes": size, "detail": detail}


def _own_bytes(path: str, links: int = 2) -> int:
    """The room that this alone takes: a file of one build is in uv's cache as well."""
    if not os.path.isdir(path):
        return os.lstat(path).st_size if os.path.lexists(path) else 0
    return sum(info.st_size for _, info in files_below(path) if info.st_nlink <= links)


def _alone(path: str) -> int | None:
    """A lock that nobody shares, or nothing."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _is_shared(path: str) -> bool:
    if not os.path.exists(path):
        return False
    handle = _alone(path)
    if handle is not None:
        os.close(handle)
    return handle is None


def _is_held(path: str) -> bool:
    """Whether the supervisor of a runner or worker has its lock; asking disturbs nobody."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, question)
    finally:
        os.close(handle)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _is_young(path: str) -> bool:
    return _time(path) > time.time() - _SETTLING_S


def _time(path: str) -> float:
    try:
        return os.lstat(path).st_mtime
    except FileNotFoundError:
        return 0.0


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
