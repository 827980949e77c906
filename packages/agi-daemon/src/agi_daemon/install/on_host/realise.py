"""Taking the wheels that were shipped, and making a build of them, once."""

# pathlib would add a third to the time that a check takes; these paths are all below our root.
# ruff: noqa: PTH103, PTH104, PTH108, PTH110, PTH123, PTH208, S108
from __future__ import annotations

import hashlib
import os
import shutil

from agi_daemon.install.on_host.build import Draft
from agi_daemon.install.on_host.check import wheel_path
from agi_daemon.install.on_host.files import drift_of, held, note_use, sync_folder
from agi_daemon.install.on_host.talk import Fault, say, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, BinaryIO

_PIECE = 1024 * 1024


def realise(root: str, request: Mapping[str, Any], stream: BinaryIO) -> dict[str, Any]:
    """Make the build, or adopt the one that somebody else made meanwhile."""
    for folder in ("", "/wheels", "/builds", "/tmp"):
        os.makedirs(root + folder, 0o700, exist_ok=True)
    for wheel in request["shipped"]:
        receive(root, wheel, stream)
        say("received", wheel=wheel[1])
    build, path = request["build"], f"{root}/builds/{request['build']}"
    with held(f"{root}/tmp/{build}.lock", shared=False):
        there = os.path.exists(path + "/manifest.json")
        drift = drift_of(path) if there else ""
        if there and not drift:
            return {"built": True, "path": path, "adopted": True}
        with held(f"{root}/tmp/uv-cache.lock", shared=not drift):
            if drift:  # its files and the cache's are the same inodes: neither can be trusted
                shutil.rmtree(root + "/uv-cache", ignore_errors=True)
            _make(root, request, path)
    return {"built": True, "path": path, "adopted": False}


def receive(root: str, wheel: Sequence[Any], stream: BinaryIO) -> None:
    """Store one wheel from the stream, if its bytes are what its name says."""
    draft = f"{root}/tmp/{wheel[0]}.{os.getpid()}.whl"
    try:
        _write(draft, wheel, stream)
        os.makedirs(f"{root}/wheels/{wheel[0]}", 0o700, exist_ok=True)
        os.rename(draft, wheel_path(root, wheel))
    finally:
        if os.path.exists(draft):
            os.unlink(draft)


def main(stream: BinaryIO) -> None:
    """Do the one thing that the stream asks."""
    serve(stream, realise)


def _write(draft: str, wheel: Sequence[Any], stream: BinaryIO) -> None:
    sha256, name, left = wheel
    digest = hashlib.sha256()
    with open(draft, "wb") as file:
        while left:
            piece = stream.read(min(_PIECE, left))
            if not piece:
                raise Fault("BUILD_FAILED", f"the stream ended in the middle of {name}")
            left -= len(piece)
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != sha256:
        raise Fault("BUILD_FAILED", f"{name} arrived damaged")


def _make(root: str, request: Mapping[str, Any], path: str) -> None:
    build = request["build"]
    for name in os.listdir(root + "/tmp"):  # what a killed predecessor left
        if name.startswith(build + ".") and not name.endswith(".lock"):
            shutil.rmtree(f"{root}/tmp/{name}", ignore_errors=True)
    draft = f"{root}/tmp/{build}.{os.getpid()}"
    try:
        Draft(root, request, draft).make()
        if os.path.exists(path):
            os.rename(path, draft + ".old")
        os.rename(draft, path)
        note_use(path)
        sync_folder(root + "/builds")
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(draft + ".old", ignore_errors=True)
