"""Local search: exchanges between the slot that finishes last and the others.

An exchange gives a few weights of the last slot to another and takes a few back, so it contains
the moves and the swaps of G. Finn and E. Horowitz, "A linear time approximation algorithm for
multiprocessor scheduling", BIT 19 (1979), and, when two slots hold few weights, every division of
them, as in the differencing searches (P. M. Franca et al., "A composite heuristic for the
identical parallel machine scheduling problem", Comput. Oper. Res. 21 (1994)). A search that is
stuck changes what other slots hold without making any of them the last, and tries again.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from agi_daemon.planning.problem import Problem

CLOSE_ENOUGH = 5e-4
"""Distance to the lower bound, relative, below which nothing more is tried: no weight is known
as well as that."""

WORTH_IT = 1e-9
"""The least gain of an exchange, relative, so that rounding is not taken for progress."""

SIDE_STEPS = 3
"""Changes among the other slots before a search that is stuck tries the last one again."""

ALL_SUBSETS = 6
PAIRS = 10
SINGLES = 60
"""How many weights of a slot are offered: up to so many in all subsets, in pairs, singly."""


class Offers(NamedTuple):
    """Sets of weights that a slot may give away, the lightest first, the first of them empty."""

    sums: list[float]
    items: list[tuple[int, ...]]


class Exchange(NamedTuple):
    """What two slots give each other, and the later finish of the two afterwards."""

    finish: float
    partner: int
    given: tuple[int, ...]
    taken: tuple[int, ...]


def improve(problem: Problem, choice: Sequence[int], bound: float, budget: int) -> list[int]:
    """Look for a placement that finishes earlier.

    Args:
        problem: What is placed.
        choice: The placement to start from.
        bound: A lower bound of the finish.
        budget: Number of comparisons after which the search ends, so that it takes as long, and
            finds the same, on every machine.

    Returns:
        A placement that does not finish later than the one given.
    """
    search = _Search(problem, choice, bound, budget)
    search.run()
    return search.choice()


class _Search:
    """A placement on its way to a better one. The finish never rises, so the last is the best."""

    def __init__(self, problem: Problem, choice: Sequence[int], bound: float, budget: int) -> None:
        self._problem = problem
        self._bound = bound
        self._budget = budget
        self._random = random.Random(0)  # noqa: S311 - the same steps every time, no secret
        self._slots = range(len(problem.speeds))
        self._held = problem.held(choice)
        self._loads = [problem.load(slot, self._held[slot]) for slot in self._slots]
        self._ends = [self._loads[slot] / problem.speeds[slot] for slot in self._slots]
        self._offers: dict[int, Offers] = {}

    def run(self) -> None:
        """Exchange until the bound is reached or the budget is spent."""
        while self._budget > 0:
            last = max(self._slots, key=self._ends.__getitem__)
            if self._ends[last] <= self._bound * (1 + CLOSE_ENOUGH):
                return
            exchange = self._best_exchange(last)
            if exchange is not None:
                self._apply(last, exchange)
            elif len(self._slots) < 3:
                return
            else:
                self._step_aside(last)

    def choice(self) -> list[int]:
        """Position of the slot of every weight."""
        choice = [0] * len(self._problem.weights)
        for slot, items in enumerate(self._held):
            for item in items:
                choice[item] = slot
        return choice

    def _best_exchange(self, last: int) -> Exchange | None:
        """Try the others, the earliest first, until an exchange halves the way to the bound."""
        best, limit = None, self._ends[last] * (1 - WORTH_IT)
        enough = self._bound + (self._ends[last] - self._bound) / 2
        self._budget -= len(self._slots)
        for partner in sorted(self._slots, key=self._ends.__getitem__)[:-1]:
            if partner == last:
                continue
            found = self._exchange(last, partner, limit)
            if found is not None:
                best, limit = found, found.finish
                if limit <= enough:
                    break
        return best

    def _exchange(self, last: int, partner: int, limit: float) -> Exchange | None:
        """The exchange after which the later of two slots is earliest, if earlier than a limit."""
        speed, partner_speed = self._problem.speeds[last], self._problem.speeds[partner]
        load, partner_load = self._loads[last], self._loads[partner]
        level = (self._ends[last] - self._ends[partner]) / (1 / speed + 1 / partner_speed)
        if (load - level) / speed >= limit:
            return None
        gives, takes = self._offered(last), self._offered(partner)
        self._budget -= len(gives.sums)
        best = None
        for give, given in enumerate(gives.sums):
            nearest = bisect_left(takes.sums, given - level)
            for take in range(max(nearest - 1, 0), min(nearest + 1, len(takes.sums))):
                moved = given - takes.sums[take]
                finish = max((load - moved) / speed, (partner_load + moved) / partner_speed)
                if finish < limit:
                    limit, best = finish, (give, take)
        return best and Exchange(limit, partner, gives.items[best[0]], takes.items[best[1]])

    def _offered(self, slot: int) -> Offers:
        offers = self._offers.get(slot)
        if offers is None:
            offers = self._offers[slot] = _offers(self._problem.weights, self._held[slot])
        return offers

    def _apply(self, slot: int, exchange: Exchange) -> None:
        self._replace(slot, exchange.given, exchange.taken)
        self._replace(exchange.partner, exchange.taken, exchange.given)

    def _replace(self, slot: int, gone: tuple[int, ...], come: tuple[int, ...]) -> None:
        kept = [item for item in self._held[slot] if item not in gone]
        self._held[slot] = sorted([*kept, *come])
        self._loads[slot] = self._problem.load(slot, self._held[slot])
        self._ends[slot] = self._loads[slot] / self._problem.speeds[slot]
        self._offers.pop(slot, None)

    def _step_aside(self, last: int) -> None:
        """Let slots other than the last exchange at random what leaves them earlier than it."""
        others = [slot for slot in self._slots if slot != last]
        steps = 0
        while steps < SIDE_STEPS and self._budget > 0:
            self._budget -= 1
            one, other = self._draw(others), self._draw(others)
            exchange = self._random_exchange(one, other)
            if one != other and exchange.finish < self._ends[last] * (1 - WORTH_IT):
                self._apply(one, exchange)
                steps += 1

    def _random_exchange(self, one: int, other: int) -> Exchange:
        gives, takes = self._offered(one), self._offered(other)
        give, take = self._draw(range(len(gives.sums))), self._draw(range(len(takes.sums)))
        moved = gives.sums[give] - takes.sums[take]
        ends = (
            (self._loads[one] - moved) / self._problem.speeds[one],
            (self._loads[other] + moved) / self._problem.speeds[other],
        )
        return Exchange(max(ends), other, gives.items[give], takes.items[take])

    def _draw(self, among: Sequence[int]) -> int:
        # Of the random module's methods only random() is promised to stay as it is.
        return among[int(self._random.random() * len(among))]


def _offers(weights: Sequence[float], held: Sequence[int]) -> Offers:
    subsets = ((sum(weights[item] for item in items), items) for items in _subsets(held))
    ordered = sorted(subsets)
    return Offers([total for total, _ in ordered], [items for _, items in ordered])


def _subsets(held: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Subsets of the lightest weights, as large as their number allows."""
    most = len(held) if len(held) <= ALL_SUBSETS else 2 if len(held) <= PAIRS else 1
    for size in range(most + 1):
        yield from combinations(held[-SINGLES:], size)
