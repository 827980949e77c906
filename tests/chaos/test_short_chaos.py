"""A short round of chaos for every change; long ones are played by hand with ``round.py``."""

from __future__ import annotations

import pytest
from harness import chaos_round
from harness.chaos_round import Round
from harness.customer import SETTLE_S

from agi_env.mode import Mode
from hosts.programs import UnavailableError, require

LOCAL = (Mode.PLAIN, Mode.POOL)
CLUSTER = (Mode.CLUSTER, Mode.CLUSTER | Mode.POOL)
LONGEST_S = SETTLE_S + 180
"""A run that never settles is a violation that the round itself finds, with its evidence kept."""


@pytest.mark.parametrize(("seed", "modes"), [(7, LOCAL), (11, CLUSTER)])
@pytest.mark.timeout(LONGEST_S)
async def test_nothing_is_lost_counted_twice_or_left_behind(
    seed: int, modes: tuple[Mode, ...]
) -> None:
    planned = Round(seed, seconds=18.0, apps=1, jobs=2, mean_pause_s=0.2, modes=modes)
    figures = (await chaos_round.play(planned)).figures
    assert not figures.violations, [*map(str, figures.violations), *figures.lines()]
    assert figures.runs["SUCCEEDED"] >= 2, list(figures.lines())
    assert figures.faults.total() >= 5, list(figures.lines())


@pytest.mark.timeout(LONGEST_S)
async def test_hosts_that_fail_lose_nothing_either() -> None:
    try:
        require()
    except UnavailableError as error:
        pytest.skip(str(error))
    planned = Round(
        3, seconds=16.0, apps=1, jobs=2, modes=CLUSTER, hosts=2, mean_pause_s=0.5, mean_calm_s=1.0
    )
    figures = (await chaos_round.play(planned)).figures
    assert not figures.violations, [*map(str, figures.violations), *figures.lines()]
    assert figures.faults.total() >= 5, list(figures.lines())
