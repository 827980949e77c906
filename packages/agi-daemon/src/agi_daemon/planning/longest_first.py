"""Longest-first placement: each weight, heaviest first, where it would be done earliest.

On equal slots this is the LPT rule of R. L. Graham, "Bounds on multiprocessing timing anomalies",
SIAM J. Appl. Math. 17 (1969): at most 4/3 - 1/(3m) of the optimum. On slots of unequal speed it is
within twice the optimum: T. Gonzalez, O. Ibarra, S. Sahni, "Bounds for LPT schedules on uniform
processors", SIAM J. Comput. 6 (1977).
"""

from __future__ import annotations

from heapq import heapify, heapreplace

from agi_daemon.planning.problem import Problem
from agi_daemon.planning.rounds import longest_first_in_rounds

STEP_BY_STEP_LIMIT = 1_000_000
"""Comparisons (weights times distinct speeds) up to which every weight looks for its own slot."""


def longest_first(problem: Problem) -> list[int]:
    """Place every weight, heaviest first; ties go to the slot of lower position.

    Returns:
        The position of the chosen slot for every weight.
    """
    speeds = len(set(problem.speeds))
    if speeds == 1:
        return _on_equal_slots(problem)
    if speeds * len(problem.weights) <= STEP_BY_STEP_LIMIT:
        return _on_classes_of_slots(problem)
    return longest_first_in_rounds(problem)


def _on_equal_slots(problem: Problem) -> list[int]:
    queue = [(load, slot) for slot, load in enumerate(problem.base)]
    heapify(queue)
    choice: list[int] = []
    choose = choice.append
    for weight in problem.weights:
        load, slot = queue[0]
        heapreplace(queue, (load + weight, slot))
        choose(slot)
    return choice


def _on_classes_of_slots(problem: Problem) -> list[int]:
    """Among slots of one speed only the least loaded can be best, so one heap per speed will do."""
    classes = _classes(problem)
    choice: list[int] = []
    for weight in problem.weights:
        best, chosen = (float("inf"), 0), classes[0]
        for entry in classes:
            load, slot = entry[1][0]
            candidate = ((load + weight) / entry[0], slot)
            if candidate < best:
                best, chosen = candidate, entry
        load, slot = chosen[1][0]
        heapreplace(chosen[1], (load + weight, slot))
        choice.append(slot)
    return choice


def _classes(problem: Problem) -> list[tuple[float, list[tuple[float, int]]]]:
    by_speed: dict[float, list[tuple[float, int]]] = {}
    for slot, (speed, load) in enumerate(zip(problem.speeds, problem.base, strict=True)):
        by_speed.setdefault(speed, []).append((load, slot))
    for queue in by_speed.values():
        heapify(queue)
    return list(by_speed.items())
