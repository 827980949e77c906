"""Placing very many partitions in a process of its own, which takes its memory with it.

``python -m agi_daemon.planning.apart`` reads a line of JSON with ``slots``, ``pins`` and
``excluded``, then the weights as doubles, and writes a line with ``loads``, ``finish`` and
``lower_bound``, then the slot of every partition as numbers of 32 bits. When it refuses, the line
is ``{"error": {"code": ..., "metadata": {...}}}`` and the exit code is 1.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from agi_daemon.planning.placement import Placement, place
from agi_daemon.planning.requirements import NO_PINS
from agi_daemon.planning.slots import Slot
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import AgiError, InternalError, error_from
from agi_env.module_command import module_command

APART_FROM = 20_000
"""Partitions from which starting a process costs less than holding everybody else up."""

_DEADLINE_S = 300.0
_MOST_BYTES = 256 * 1024 * 1024


async def place_apart(
    here: HostTransport,
    weights: array[float],
    slots: Sequence[Slot],
    pins: Mapping[int, int] = NO_PINS,
    excluded: frozenset[str] = frozenset(),
) -> Placement:
    """What `place` answers, from a process of its own where there are very many partitions.

    Raises:
        PlanInvalidError: The arguments cannot be met.
    """
    if len(weights) < APART_FROM:
        return place(weights, slots, pins, excluded)
    facts = {
        "slots": [attrs.astuple(slot) for slot in slots],
        "pins": list(pins.items()),
        "excluded": sorted(excluded),
    }
    completed = await here.run(
        module_command(sys.executable, "agi_daemon.planning.apart"),
        stdin=json.dumps(facts).encode() + b"\n" + weights.tobytes(),
        deadline_s=_DEADLINE_S,
        max_output_bytes=_MOST_BYTES,
    )
    return _placement(completed.stdout, completed.stderr)


def main() -> int:
    """Run as a program."""
    facts = json.loads(sys.stdin.buffer.readline())
    weights = array("d")
    weights.frombytes(sys.stdin.buffer.read())
    try:
        slots = [Slot(*slot) for slot in facts["slots"]]
        pins = {int(partition): int(slot) for partition, slot in facts["pins"]}
        placement = place(weights, slots, pins, frozenset(facts["excluded"]))
    except AgiError as error:
        _write({"error": {"code": error.code, "metadata": error.to_metadata()}})
        return 1
    _write(attrs.asdict(placement, filter=lambda field, _: field.name != "assignment"))
    sys.stdout.buffer.write(array("I", placement.assignment).tobytes())
    return 0


def _write(facts: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n")


def _placement(output: bytes, errors: bytes) -> Placement:
    line, newline, places = output.partition(b"\n")
    if not newline:
        said = errors.decode(errors="replace").strip().splitlines()
        raise InternalError(f"placing ended without an answer: {said[-1:]}", where="planning")
    facts = json.loads(line)
    if "error" in facts:
        raise error_from(facts["error"]["code"], facts["error"]["metadata"])
    assignment = array("I")
    assignment.frombytes(places)
    return Placement(assignment, tuple(facts["loads"]), facts["finish"], facts["lower_bound"])


if __name__ == "__main__":
    sys.exit(main())
