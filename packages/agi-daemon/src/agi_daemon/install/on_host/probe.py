"""What this host can do beyond plain Python: compile, and compute on GPUs."""

from __future__ import annotations

from agi_daemon.install.on_host.compile import require_compiler
from agi_daemon.install.on_host.devices import devices
from agi_daemon.install.on_host.facts import host_facts
from agi_daemon.install.on_host.talk import Fault, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO


def probe(root: str, request: Mapping[str, Any], _: BinaryIO) -> dict[str, Any]:
    """Its facts, why it cannot compile (empty: it can), and its devices."""
    compiler = {"reason": "", "remedy": ""}
    try:
        require_compiler()
    except Fault as fault:
        compiler = {"reason": str(fault), "remedy": fault.metadata["command"]}
    facts = host_facts(root, request["uv"])
    return {"facts": facts, "compiler": compiler, "devices": devices()}


def main(stream: BinaryIO) -> None:
    """Answer the one question that the stream asks."""
    serve(stream, probe)
