"""The directories of runs on a host: which there are, what they hold, and their removal."""

# pathlib would add a third to the time that this takes; these paths are all below our root.
# ruff: noqa: PTH104, PTH112, PTH113, PTH118, PTH123, PTH202, PTH208
from __future__ import annotations

import base64
import fcntl
import os
import shutil
import struct
import zlib

from agi_daemon.install.on_host.talk import serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

_FILES = ("spec.json", "plan.json", "journal", "verdict.json")
_LOCK = "runner.lock"
_F_OFD_GETLK = 36
_FLOCK = struct.Struct("@hhqqi0q")
"""As in ``agi_env.runtime.run_lock``."""
_REMOVED = ".removed-"
"""What a directory is called that is being removed: its removal goes on where it was cut off."""


def main(stream: BinaryIO) -> None:
    """Do what the standard input says."""
    serve(stream, act)


def act(root: str, request: Mapping[str, Any], _: BinaryIO) -> dict[str, Any]:
    """Do one of the things that are asked for."""
    runs = os.path.join(root, "runs")
    if request["op"] == "list":
        return {"runs": listed(runs)}
    if request["op"] == "read":
        return {"runs": {name: packed(os.path.join(runs, name)) for name in request["runs"]}}
    if request["op"] == "weigh":
        return {"runs": {name: weighed(runs, name) for name in request["runs"]}}
    outcomes = {name: removed(runs, name) for name in request["runs"]}
    sweep(runs)
    return {"runs": outcomes}


def listed(runs: str) -> list[tuple[str, int]]:
    """The directories with a plan or a verdict, and the bytes of what has to be read of each.

    A worker's directory has a spec alone.
    """
    names = sorted(os.listdir(runs)) if os.path.isdir(runs) else []
    found = []
    for name in names:
        sizes = {file: size_of(os.path.join(runs, name, file)) for file in _FILES}
        if not name.startswith(".") and (sizes["plan.json"] or sizes["verdict.json"]):
            found.append((name, sum(sizes.values())))
    return found


def packed(directory: str) -> dict[str, str]:
    """The files of a run that are there, each compressed."""
    contents = {}
    for file in _FILES:
        path = os.path.join(directory, file)
        if os.path.isfile(path):
            with open(path, "rb") as stream:
                contents[file] = base64.b64encode(zlib.compress(stream.read(), 1)).decode()
    return contents


def size_of(path: str) -> int:
    """The bytes of a file; 0 where there is none."""
    return os.path.getsize(path) if os.path.isfile(path) else 0


def removed(runs: str, name: str) -> dict[str, Any]:
    """Remove the directory of a run; says how many bytes that was, and what was in the way."""
    found = weighed(runs, name)
    if found["problem"] or not os.path.isdir(os.path.join(runs, name)):
        return found
    try:
        os.rename(os.path.join(runs, name), os.path.join(runs, _REMOVED + name))
    except OSError as error:
        return {"bytes": 0, "problem": error.strerror or str(error)}
    return found


def weighed(runs: str, name: str) -> dict[str, Any]:
    """The bytes of a run's directory, and what is in the way of its removal."""
    directory = os.path.join(runs, name)
    if lives(directory):
        return {"bytes": 0, "problem": "a process of it still runs"}
    return {"bytes": weight(directory), "problem": ""}


def sweep(runs: str) -> None:
    """Remove what was put aside, also by an earlier call that was cut off."""
    for name in os.listdir(runs) if os.path.isdir(runs) else []:
        if name.startswith(_REMOVED):
            shutil.rmtree(os.path.join(runs, name), ignore_errors=True)


def lives(directory: str) -> bool:
    """Whether a runner or a worker holds one of the run's locks; asking disturbs nobody."""
    for place, _, names in os.walk(directory):
        if _LOCK in names:
            with open(os.path.join(place, _LOCK), "r+b") as stream:
                answer = fcntl.fcntl(stream, _F_OFD_GETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0))
            if _FLOCK.unpack(answer)[0] != fcntl.F_UNLCK:
                return True
    return False


def weight(directory: str) -> int:
    """The bytes of all files below a directory."""
    total = 0
    for place, _, names in os.walk(directory):
        for name in names:
            total += os.lstat(os.path.join(place, name)).st_size
    return total
