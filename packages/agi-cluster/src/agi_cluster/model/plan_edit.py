"""Changes of a plan: partitions are named by their ids, slots by their index."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen


@frozen(kw_only=True)
class Move:
    """Put partitions onto a slot; those that are pinned are pinned there then."""

    partitions: tuple[str, ...]
    slot: int


@frozen(kw_only=True)
class Swap:
    """Exchange the slots of two partitions."""

    first: str
    second: str


@frozen(kw_only=True)
class Pin:
    """Pin partitions to the slots that they are on: a rebalance leaves them there."""

    partitions: tuple[str, ...]


@frozen(kw_only=True)
class Unpin:
    """Take pins away; no ids: all of them."""

    partitions: tuple[str, ...] = ()


@frozen(kw_only=True)
class Rebalance:
    """Place what is not pinned anew."""

    without: tuple[str, ...] = ()
    """Hosts that get nothing; a partition that is pinned to one of them is refused."""


@frozen(kw_only=True)
class Undo:
    """Go back to an earlier revision, whose places and pins the new one has."""

    revision: int = 0
    """0: the one before that which the latest one shows."""


PlanEdit: TypeAlias = Move | Swap | Pin | Unpin | Rebalance | Undo
