"""MULTIFIT: search for the earliest finish by which a greedy packing still fits everything.

E. G. Coffman, M. R. Garey, D. S. Johnson, "An application of bin-packing to multiprocessor
scheduling", SIAM J. Comput. 7 (1978); for slots of unequal speed, the slowest filled first:
D. K. Friesen and M. A. Langston, "Bounds for multifit scheduling on uniform processors", SIAM J.
Comput. 12 (1983). Where longest-first leaves a few weights per slot badly paired, its packing is
another place to start an improvement from.
"""

from __future__ import annotations

from bisect import bisect_right

from agi_daemon.planning.problem import Problem

HALVINGS = 12
"""Times that the interval of the search is halved."""


def multifit(problem: Problem, earliest: float, latest: float) -> list[int] | None:
    """Find a placement that finishes between two times, as early as packing finds.

    Args:
        problem: What is to be placed.
        earliest: A lower bound of the finish.
        latest: The finish that has to be beaten.

    Returns:
        The position of the chosen slot for every weight, or nothing if none was found.
    """
    best = None
    for _ in range(HALVINGS):
        finish = earliest + (latest - earliest) / 2
        packed = _pack(problem, finish)
        if packed is None:
            earliest = finish
        else:
            best, latest = packed, finish
    return best


def _pack(problem: Problem, finish: float) -> list[int] | None:
    """Fill slot after slot, the slowest first, each with the heaviest weight that still fits."""
    lightest_first = problem.weights[::-1]
    left = list(range(len(lightest_first)))
    choice = [0] * len(left)
    for slot in sorted(range(len(problem.speeds)), key=problem.speeds.__getitem__):
        room = finish * problem.speeds[slot] - problem.base[slot]
        while fitting := bisect_right(left, room, key=lightest_first.__getitem__):
            item = left.pop(fitting - 1)
            room -= lightest_first[item]
            choice[len(choice) - 1 - item] = slot
    return None if left else choice
