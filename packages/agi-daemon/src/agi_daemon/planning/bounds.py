"""Lower bounds on the finish: what no placement can beat, so that the quality of one is known.

The bounds are those of the literature on P||Cmax and Q||Cmax (R. L. Graham 1969; E. Horowitz and
S. Sahni, J. ACM 23 (1976); M. Dell'Amico and S. Martello, ORSA J. Comput. 7 (1995)), each made to
allow for slots of unequal speed that hold a load already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heapreplace
from itertools import accumulate
from operator import mul, truediv

from agi_daemon.planning.problem import Problem

FEW_PER_SLOT = 16
"""The bounds that count weights look at this many a slot; with more the average decides."""


def lower_bound(problem: Problem) -> float:
    """Time before which no placement can finish, in units of weight at speed 1; 0.0 for nothing.

    Computed in floating point: it may exceed the truth by some units in the last place.
    """
    if not problem.speeds:
        return 0.0
    return max(
        pinned_bound(problem),
        average_bound(problem),
        heaviest_bound(problem.weights, problem.speeds),
        room_bound(problem.weights, problem.speeds),
        crowd_bound(problem.weights, problem.speeds),
    )


def pinned_bound(problem: Problem) -> float:
    """Finish of the slot that is latest with what is pinned to it alone."""
    return max(load / speed for load, speed in zip(problem.base, problem.speeds, strict=True))


def average_bound(problem: Problem) -> float:
    """Finish if weights could be cut at will and filled in like water over the pinned loads."""
    total, speed, level = sum(problem.weights), 0.0, 0.0
    slots = sorted(
        zip(problem.base, problem.speeds, strict=True), key=lambda slot: slot[0] / slot[1]
    )
    for load, own in slots:
        if speed and load / own >= total / speed:
            break
        total, speed = total + load, speed + own
        level = total / speed
    return level


def heaviest_bound(weights: Sequence[float], speeds: Sequence[float]) -> float:
    """The k heaviest weights occupy k slots at most, at best the k fastest."""
    work = accumulate(weights[: len(speeds)])
    speed = accumulate(sorted(speeds, reverse=True))
    return max(map(truediv, work, speed), default=0.0)


def room_bound(weights: Sequence[float], speeds: Sequence[float]) -> float:
    """By the finish there is room for k weights as heavy as the k-th heaviest, for every k."""
    counted = weights[: FEW_PER_SLOT * len(speeds)]
    return max(map(mul, counted, _rooms(speeds)), default=0.0)


def _rooms(speeds: Sequence[float]) -> Iterator[float]:
    """Times at which the slots together can have done 1, 2, 3... weights of 1."""
    queue = [(1 / speed, 1, speed) for speed in speeds]
    heapify(queue)
    while True:
        time, count, speed = queue[0]
        heapreplace(queue, ((count + 1) / speed, count + 1, speed))
        yield time


def crowd_bound(weights: Sequence[float], speeds: Sequence[float]) -> float:
    """Of any k*m + 1 weights on m slots some k + 1 share a slot, at best the lightest of them."""
    slots, fastest = len(speeds), max(speeds)
    crowds = range(1, min(FEW_PER_SLOT, (len(weights) - 1) // slots) + 1)
    return max(
        (sum(weights[k * slots - k : k * slots + 1]) / fastest for k in crowds),
        default=0.0,
    )
