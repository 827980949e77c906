"""Balancing: the algorithms in the order in which they pay."""

from __future__ import annotations

from agi_daemon.planning.improvement import CLOSE_ENOUGH, improve
from agi_daemon.planning.longest_first import longest_first
from agi_daemon.planning.multifit import multifit
from agi_daemon.planning.problem import Problem

LEAST_BUDGET = 8_000
BUDGET_PER_WEIGHT = 50
MOST_BUDGET = 200_000
"""Comparisons that one local search may make; 100,000 take a fifth of a second to half of one."""

SEARCH_LIMIT = 200_000
"""Weights above which a local search is not tried: longest-first is within 0.1 % of the bound."""

PACKING_LIMIT = 5_000
"""Weights above which packing takes longer than the local search."""


def balance(problem: Problem, bound: float) -> list[int]:
    """Place the weights so that the last slot is done early, never later than longest-first.

    Longest-first alone is nearly perfect with many weights a slot. With few, two searches follow,
    one from its placement and one from a packing, as each is good where the other is stuck.

    Args:
        problem: What is to be placed, on one slot at least.
        bound: A lower bound of the finish.

    Returns:
        The position of the chosen slot for every weight.
    """
    choice = longest_first(problem)
    if len(choice) > SEARCH_LIMIT or _is_close(problem, choice, bound):
        return choice
    budget = min(LEAST_BUDGET + BUDGET_PER_WEIGHT * len(choice), MOST_BUDGET)
    found = [improve(problem, choice, bound, budget)]
    if len(choice) <= PACKING_LIMIT and not _is_close(problem, found[0], bound):
        packed = multifit(problem, bound, problem.finish(choice))
        if packed is not None:
            found.append(improve(problem, packed, bound, budget))
    return min([choice, *found], key=problem.finish)


def _is_close(problem: Problem, choice: list[int], bound: float) -> bool:
    return problem.finish(choice) <= bound * (1 + CLOSE_ENOUGH)
