from __future__ import annotations

from pathlib import Path

from agi_env.runtime.oom_events import oom_kills


def test_the_counts_of_the_machine_and_of_the_own_group_are_added(tmp_path: Path) -> None:
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (cgroups / "user" / "run").mkdir(parents=True)
    (proc / "vmstat").write_text("oom_kill_disable 9\noom_kill 2\n")
    (proc / "self" / "cgroup").write_text("0::/user/run\n")
    (cgroups / "user" / "run" / "memory.events").write_text("oom 7\noom_kill 3\n")
    assert oom_kills(proc, cgroups) == 5


def test_a_system_that_says_nothing_counts_nothing(tmp_path: Path) -> None:
    assert oom_kills(tmp_path, tmp_path) == 0


def test_this_machine_can_be_asked() -> None:
    assert oom_kills() >= 0
