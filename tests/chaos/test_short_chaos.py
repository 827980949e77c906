"""A short round of chaos for every change; long ones are played by hand with ``round.py``."""

from __future__ import annotations

import pytest
from harness import chaos_round
from harness.chaos_round import Round

SEEDS = (7, 11)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(240)
async def test_nothing_is_lost_counted_twice_or_left_behind(seed: int) -> None:
    outcome = await chaos_round.play(Round(seed, seconds=22.0, apps=1, mean_pause_s=0.2))
    figures = outcome.figures
    assert not figures.violations, [*map(str, figures.violations), *figures.lines()]
    assert figures.runs["SUCCEEDED"] >= 5, list(figures.lines())
    assert figures.faults.total() >= 15, list(figures.lines())
