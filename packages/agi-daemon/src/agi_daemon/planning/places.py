"""Where partitions are: blocks of slots and pins, and a sheet on which they are changed."""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence

import attrs

from agi_env.runtime.partition_block import BLOCK


@attrs.frozen
class PlaceBlock:
    """The places of a block of partitions.

    Attributes:
        slots: The index of the slot of each.
        pins: The offsets of those that are pinned.
    """

    slots: array[int]
    pins: frozenset[int] = frozenset()

    @classmethod
    def unpacked(cls, slots: bytes, pins: bytes) -> PlaceBlock:
        """The block that was packed so."""
        places, pinned = array("I"), array("I")
        places.frombytes(zlib.decompress(slots))
        pinned.frombytes(pins)
        return cls(places, frozenset(pinned))

    def packed(self) -> tuple[bytes, bytes]:
        """Slots and pins as they are stored."""
        slots = zlib.compress(self.slots.tobytes(), level=1)
        return slots, array("I", sorted(self.pins)).tobytes()

    @property
    def digest(self) -> bytes:
        """The sha256 of the slots: pins do not change what a run executes."""
        return hashlib.sha256(self.slots.tobytes()).digest()


def place_blocks(slots: array[int], pins: Sequence[int] = ()) -> list[PlaceBlock]:
    """The blocks of a whole plan, from the slot of every partition and positions of pins."""
    pinned: dict[int, set[int]] = {}
    for position in pins:
        pinned.setdefault(position // BLOCK, set()).add(position % BLOCK)
    return [
        PlaceBlock(slots[start : start + BLOCK], frozenset(pinned.get(start // BLOCK, ())))
        for start in range(0, len(slots), BLOCK)
    ]


class Sheet:
    """The places of a plan while they are changed; reads a block when it is first needed.

    Args:
        count: How many partitions there are.
        read: Reads a block by its number, as the revision has it that is being changed.
    """

    def __init__(self, count: int, read: Callable[[int], PlaceBlock]) -> None:
        self.count = count
        self._read = read
        self._before: dict[int, PlaceBlock] = {}
        self._slots: dict[int, array[int]] = {}
        self._pins: dict[int, set[int]] = {}

    def slot(self, position: int) -> int:
        """The slot of a partition."""
        block, offset = divmod(position, BLOCK)
        self._open(block)
        return self._slots[block][offset]

    def put(self, position: int, slot: int) -> None:
        """Put a partition onto a slot."""
        block, offset = divmod(position, BLOCK)
        self._open(block)
        self._slots[block][offset] = slot

    def pin(self, position: int, *, pinned: bool) -> None:
        """Pin a partition to its slot, or take the pin away."""
        block, offset = divmod(position, BLOCK)
        self._open(block)
        (self._pins[block].add if pinned else self._pins[block].discard)(offset)

    def pins(self) -> list[int]:
        """The positions of all that are pinned."""
        return [
            block * BLOCK + offset for block in self._all() for offset in sorted(self._pins[block])
        ]

    def slots(self) -> array[int]:
        """The slot of every partition."""
        slots = array("I")
        for block in self._all():
            slots.extend(self._slots[block])
        return slots

    def replace(self, block: int, places: PlaceBlock) -> None:
        """Have a whole block otherwise."""
        self._open(block)
        self._slots[block] = places.slots[:]
        self._pins[block] = set(places.pins)

    def changed(self) -> dict[int, PlaceBlock]:
        """The blocks that are other than they were, by their numbers."""
        now = {
            block: PlaceBlock(self._slots[block], frozenset(self._pins[block]))
            for block in sorted(self._before)
        }
        return {block: places for block, places in now.items() if places != self._before[block]}

    def pinned_more(self) -> int:
        """How many more are pinned than before."""
        now = sum(len(pins) for pins in self._pins.values())
        return now - sum(len(block.pins) for block in self._before.values())

    def _all(self) -> Iterator[int]:
        for block in range(-(-self.count // BLOCK)):
            self._open(block)
            yield block

    def _open(self, block: int) -> None:
        if block not in self._before:
            found = self._before[block] = self._read(block)
            self._slots[block] = found.slots[:]
            self._pins[block] = set(found.pins)
