"""What an app named: its partitions in blocks, and what planning needs of them as a whole."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from functools import cached_property

import attrs

from agi_env.runtime.partition_block import BLOCK, PartitionBlock, ids_of
from agi_env.runtime.partitions import Partition

Bucket = tuple["array[int]", "array[int]"]
"""Marks of ids, and the positions of the partitions that have them."""


@attrs.frozen
class Named:
    """The partitions of a plan; all blocks but the last one are full."""

    blocks: Sequence[PartitionBlock]
    printed: str = ""
    """The end of what the app printed meanwhile; no part of what it named."""

    @classmethod
    def of(cls, partitions: Sequence[Partition]) -> Named:
        """These partitions."""
        starts = range(0, len(partitions), BLOCK)
        return cls([PartitionBlock.of(partitions[start : start + BLOCK]) for start in starts])

    @cached_property
    def weights(self) -> array[float]:
        """The weight of every partition, in plan order."""
        weights = array("d")
        for block in self.blocks:
            weights.extend(block.weights)
        return weights

    @property
    def digest(self) -> str:
        """The sha256 of everything that the app said."""
        return hashlib.sha256(b"".join(block.digest for block in self.blocks)).hexdigest()

    @property
    def heaviest(self) -> tuple[str, float]:
        """Id and weight of the heaviest partition, the first of several; empty for none."""
        if not self.weights:
            return "", 0.0
        weight = max(self.weights)
        block, offset = divmod(self.weights.index(weight), BLOCK)
        return ids_of(self.blocks[block].columns)[offset], weight

    def buckets(self) -> list[Bucket]:
        """The marks of all ids with their positions, in as many buckets as there are blocks."""
        count = len(self.blocks)
        found: list[Bucket] = [(array("I"), array("I")) for _ in range(count)]
        position = 0
        for block in self.blocks:
            for mark in block.marks:
                marks, positions = found[mark % count]
                marks.append(mark)
                positions.append(position)
                position += 1
        return found
