"""A block of partitions in columns: how the naming child hands them over, and how they are kept.

Whoever keeps a million partitions needs their weights and has to find one by its id; the rest is
text that only its reader takes apart. So a block carries weights and the marks of ids as arrays
beside the packed columns, and passes through the daemon without being parsed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agi_env.runtime.partitions import Partition

BLOCK = 1000
"""Partitions in a block; the last one of a plan may have fewer."""

_LEVEL = 1  # of compression: the fastest


@dataclass(frozen=True, slots=True)
class PartitionBlock:
    """Up to `BLOCK` partitions that follow each other in a plan.

    Attributes:
        columns: Ids, labels, weights and payloads as compressed JSON, a list each.
        weights: The weights once more, as numbers.
        marks: The mark of each id; see `mark_of`.
        digest: The sha256 of the columns' text.
    """

    columns: bytes
    weights: array[float]
    marks: array[int]
    digest: bytes

    @classmethod
    def of(cls, partitions: Sequence[Partition]) -> PartitionBlock:
        """The block of these partitions."""
        columns: dict[str, list[Any]] = {
            "id": [each.id for each in partitions],
            "label": [each.label for each in partitions],
            "weight": [each.weight for each in partitions],
            "payload": [each.payload for each in partitions],
        }
        text = json.dumps(columns).encode()
        return cls(
            zlib.compress(text, level=_LEVEL),
            array("d", columns["weight"]),
            array("I", map(mark_of, columns["id"])),
            hashlib.sha256(text).digest(),
        )

    @classmethod
    def from_line(cls, line: bytes) -> PartitionBlock:
        """The block that `to_line` wrote."""
        facts = json.loads(line)
        weights, marks = array("d"), array("I")
        weights.frombytes(base64.b64decode(facts["weights"]))
        marks.frombytes(base64.b64decode(facts["marks"]))
        columns, digest = base64.b64decode(facts["columns"]), bytes.fromhex(facts["digest"])
        return cls(columns, weights, marks, digest)

    def to_line(self) -> str:
        """The block as one line of JSON, for a program of this machine."""
        facts = {
            "columns": base64.b64encode(self.columns).decode(),
            "weights": base64.b64encode(self.weights.tobytes()).decode(),
            "marks": base64.b64encode(self.marks.tobytes()).decode(),
            "digest": self.digest.hex(),
        }
        return json.dumps(facts)

    def __len__(self) -> int:
        return len(self.weights)


def mark_of(name: str) -> int:
    """A number of 32 bits by which an id is looked for; others may have the same."""
    return zlib.crc32(name.encode(errors="surrogatepass"))


def partitions_of(columns: bytes) -> list[Partition]:
    """The partitions in the columns of a block."""
    facts = json.loads(zlib.decompress(columns))
    rows = zip(facts["id"], facts["label"], facts["weight"], facts["payload"], strict=True)
    return [Partition(*row) for row in rows]


def ids_of(columns: bytes) -> list[str]:
    """The ids in the columns of a block."""
    ids: list[str] = json.loads(zlib.decompress(columns))["id"]
    return ids
