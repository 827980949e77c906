"""One look at a host: its facts, whether a build is there as it was made, what is missing."""

# pathlib would add a third to the time that a check takes; these paths are all below our root.
# ruff: noqa: PTH116
from __future__ import annotations

import os

from agi_daemon.install.on_host.facts import host_facts
from agi_daemon.install.on_host.files import drift_of, note_use, read_json
from agi_daemon.install.on_host.talk import serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, BinaryIO


def check(root: str, request: Mapping[str, Any], _: BinaryIO) -> dict[str, Any]:
    """Facts, and for the offer that fits this platform: is it built, which wheels are missing.

    The manager offers a build for each platform it knows, so that one question is enough.
    """
    facts = host_facts(root, request["uv"])
    reply = {"facts": facts, "built": False, "path": "", "missing": [], "drift": ""}
    offer = request["offers"].get(facts["key"])
    if offer is None:
        return reply
    path = f"{root}/builds/{offer['build']}"
    manifest = read_json(path + "/manifest.json")
    drift = drift_of(path) if manifest else ""
    reply.update(path=path, drift=drift, built=bool(manifest) and not drift)
    if reply["built"]:
        note_use(path)
    if not reply["built"]:
        reply["missing"] = [wheel for wheel in offer["wheels"] if not has_wheel(root, wheel)]
    return reply


def wheel_path(root: str, wheel: Sequence[Any]) -> str:
    """Where a wheel ``[sha256, filename, size]`` is kept."""
    return f"{root}/wheels/{wheel[0]}/{wheel[1]}"


def has_wheel(root: str, wheel: Sequence[Any]) -> bool:
    """The wheel is here, whole."""
    try:
        return bool(os.stat(wheel_path(root, wheel)).st_size == wheel[2])
    except FileNotFoundError:
        return False


def main(stream: BinaryIO) -> None:
    """Answer the one question that the stream asks."""
    serve(stream, check)
