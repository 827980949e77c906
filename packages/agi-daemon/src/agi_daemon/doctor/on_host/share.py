"""One machine's part in the proof that all of them see the same folder.

The manager makes a folder with a sentinel on the share (``offer``), every host reads it and adds a
file of its own (``answer``), the manager reads that (``collect``) and removes all (``withdraw``).
"""

# pathlib is not imported: this is sent to hosts, and starts in a few milliseconds without it.
# ruff: noqa: PTH102, PTH106, PTH108, PTH116, PTH123, PTH208
from __future__ import annotations

import errno
import os

from agi_daemon.doctor.on_host.patience import within
from agi_daemon.install.on_host.talk import serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

SENTINEL = "manager"


def take_part(_: str, request: Mapping[str, Any], __: BinaryIO) -> dict[str, Any]:
    """Do one of the four, within the limit of the request."""
    act = {"offer": offer, "answer": answer, "collect": collect, "withdraw": withdraw}
    os.umask(0o022)  # as a run makes what others read
    mounts = mount_of(request["share"])
    said = within(request["limit_s"], lambda: _tried(act[request["act"]], request))
    return {"mount": mounts, **(said or {"fault": "HANGS"})}


def offer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Look at the place of the share, make the folder there, and in it the sentinel."""
    found = _look(request["share"])
    try:
        os.mkdir(_folder(request))
        _write(f"{_folder(request)}/{SENTINEL}", request["token"])
    except OSError as error:
        return {**found, **_fault(error), "writing": True}
    return found


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Look at the place of the share; read the sentinel, and add our own file where it is."""
    found = _look(request["share"])
    try:
        found["sentinel"] = _read(f"{_folder(request)}/{SENTINEL}")
    except FileNotFoundError:
        return {**found, "fault": "NO_SENTINEL"}
    try:
        _write(f"{_folder(request)}/{request['name']}", request["token"])
    except OSError as error:
        return {**found, **_fault(error), "writing": True}
    return found


def collect(request: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a host wrote."""
    try:
        return {"read": _read(_folder(request) + "/" + request["name"])}
    except FileNotFoundError:
        return {"read": ""}


def withdraw(request: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the folder with all that is in it."""
    folder = _folder(request)
    for name in os.listdir(folder):
        os.unlink(folder + "/" + name)
    os.rmdir(folder)
    return {}


def mount_of(path: str) -> dict[str, str]:
    """The mount that a path is on, as this process sees mounts; the file system is not asked."""
    best: dict[str, str] = {}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as table:
        for line in table:
            mount = _mount(line)
            if _holds(mount["point"], path) and len(mount["point"]) >= len(best.get("point", "")):
                best = mount
    return best


def main(stream: BinaryIO) -> None:
    """Do the one thing that the stream asks."""
    serve(stream, take_part)


def _mount(line: str) -> dict[str, str]:
    before, _, after = line.partition(" - ")
    words, kind = before.split(), after.split()
    return {
        "point": _plain(words[4]),
        "root": _plain(words[3]),
        "type": kind[0],
        "source": _plain(kind[1]),
    }


def _plain(text: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text


def _holds(point: str, path: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _look(share: str) -> dict[str, Any]:
    device = os.stat(share + "/").st_dev  # the slash: a file in its place is no folder
    place = os.path.realpath(share)
    return {"device": device, "path": place, "mount": mount_of(place), "user": os.geteuid()}


def _tried(act: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        done: dict[str, Any] = act(request)
    except OSError as error:
        return _fault(error)
    return done


def _fault(error: OSError) -> dict[str, Any]:
    return {"fault": errno.errorcode.get(error.errno or 0, "EIO"), "words": error.strerror}


def _folder(request: Mapping[str, Any]) -> str:
    return f"{request['share']}/{request['folder']}"


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(200)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
