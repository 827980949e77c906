"""Longest-first placement in rounds, for very many weights on slots of many speeds.

To look for the best slot of every single weight costs their number times that of the speeds. A
round lines the slots up once, by when each would be done with the next weight, and hands them the
next weights in that order, until a slot of the line would be due a second time. The weights of one
round are nearly equal, so it differs from the rule by the order of near ties only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import ge, neg

from agi_daemon.planning.problem import Problem

NEARLY_EQUAL = 0.98
"""Weights within this factor of each other may be placed in one round."""

FRONT = 64
"""Slots at the head of the line that catch up with the others where a round would be short."""


def longest_first_in_rounds(problem: Problem) -> list[int]:
    """Place every weight, heaviest first.

    Returns:
        The position of the chosen slot for every weight.
    """
    rounds = _Rounds(problem)
    while len(rounds.choice) < len(problem.weights):
        rounds.place_some()
    return rounds.choice


class _Rounds:
    """The weights placed so far, and the load of each slot."""

    def __init__(self, problem: Problem) -> None:
        self.choice: list[int] = []
        self._weights = problem.weights
        self._loads = list(problem.base)
        self._pace = [1 / speed for speed in problem.speeds]

    def place_some(self) -> None:
        """One round, or what the front of the line takes until it has caught up."""
        weight = self._weights[len(self.choice)]
        done = [(load + weight) * pace for load, pace in zip(self._loads, self._pace, strict=True)]
        line = sorted(range(len(done)), key=done.__getitem__)
        length = self._length(weight, line, done)
        if length < FRONT < len(line):
            self._catch_up(self._nearly_equal(len(line)), line[:FRONT], done[line[FRONT]])
        else:
            self._deal(self._nearly_equal(length), line)

    def _length(self, weight: float, line: list[int], done: list[float]) -> int:
        """How many slots of the line come before one of them is due again."""
        again = accumulate([done[slot] + weight * self._pace[slot] for slot in line], min)
        return [*map(ge, [done[slot] for slot in line[1:]], again), True].index(True) + 1

    def _nearly_equal(self, most: int) -> Sequence[float]:
        """The next weights that may be placed in one round."""
        weights = self._weights[len(self.choice) : len(self.choice) + most]
        return weights[: max(1, bisect_left(weights, -weights[0] * NEARLY_EQUAL, key=neg))]

    def _deal(self, weights: Sequence[float], line: list[int]) -> None:
        for slot, weight in zip(line, weights, strict=False):
            self._loads[slot] += weight
        self.choice += line[: len(weights)]

    def _catch_up(self, weights: Sequence[float], front: list[int], others: float) -> None:
        """Place weights one by one on a few slots, as long as they are done before the others."""
        for weight in weights:
            ends = [(self._loads[slot] + weight) * self._pace[slot] for slot in front]
            earliest = min(ends)
            if earliest > others:
                return
            slot = front[ends.index(earliest)]
            self._loads[slot] += weight
            self.choice.append(slot)
