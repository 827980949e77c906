"""The settings of an app as a value: its arguments, its cluster, and the mode they amount to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Self

from agi_env.mode import Mode
from agi_env.scheduler_address import SchedulerAddress
from agi_env.settings_schema import dotted, problems
from agi_env.verbosity import Verbosity

THIS_MACHINE = "127.0.0.1"
"""The host that stands for the machine of the daemon."""

DEFAULT_RUN_TIMEOUT = 86_400.0
"""Seconds that a run may take unless the settings say otherwise: a day."""


class Difference(NamedTuple):
    """A field in which two settings differ; None where one does not have it."""

    field: str
    old: object
    new: object


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of an app, valid and complete with defaults.

    The defaults are those of a file with neither ``[args]`` nor ``[cluster]``: one slot on this
    machine, plain local Python.
    """

    args: dict[str, Any] = field(default_factory=dict)
    """The app's own arguments: what JSON can carry."""
    cluster_enabled: bool = False
    """Run on Dask workers: bit 4 of the mode."""
    pool: bool = False
    """Several executors in a slot: bit 1."""
    cython: bool = False
    """Run the compiled worker: bit 2."""
    rapids: bool = False
    """Run GPU workers: bit 8."""
    verbose: int = 1
    """What is streamed and logged: 0 the outcome and errors; 1 phases and progress; 2 each
    partition; 3 also what the app prints. `agi_env.verbosity.Verbosity` defines the levels."""
    scheduler: str = THIS_MACHINE
    """``host`` or ``host:port``."""
    workers: dict[str, int] = field(default_factory=lambda: {THIS_MACHINE: 1})
    """Worker slots of each host, 1 or more."""
    user: str = ""
    """The login on the hosts; empty: the one each host was enrolled with."""
    partition_timeout: float | None = None
    """Seconds that a partition may take; None: no limit but the run's."""
    run_timeout: float = DEFAULT_RUN_TIMEOUT
    """Seconds that a run may take."""
    max_attempts: int | None = None
    """How often a partition whose executor dies is attempted; None: 3 times."""
    cores_per_slot: int | None = None
    """Cores of each slot; None: the host's cores divided by its slots, at least 1."""

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The settings that the tables ``args`` and ``cluster`` of a file's data hold.

        An absent or empty ``cluster.workers`` is one slot on this machine, an empty
        ``cluster.scheduler`` is this machine.

        Raises:
            SettingsInvalidError: A key that we use has a value that cannot be used.
            SlotsInvalidError: A slot count is no whole number of 1 or more.
        """
        for problem in problems(data):
            raise problem.error(problem.what, metadata={"key": dotted(problem.key)})
        cluster = data.get("cluster", {})
        known = {name: cluster[name] for name in _CLUSTER_FIELDS if name in cluster}
        for name in ("scheduler", "workers"):
            if not known.get(name):
                known.pop(name, None)
        # 5 and 5.0 seconds are the same settings, so they have to have the same digest.
        known |= {name: float(known[name]) for name in _SECONDS if name in known}
        return cls(args=dict(data.get("args", {})), **known)

    def to_data(self) -> dict[str, dict[str, Any]]:
        """The same as the tables of a file: every key that we use and that is not None."""
        values = {name: getattr(self, name) for name in _CLUSTER_FIELDS}
        cluster = {name: value for name, value in values.items() if value is not None}
        return {"args": self.args, "cluster": cluster}

    @property
    def mode(self) -> Mode:
        """The mode that a run takes: cluster 4, pool 1, cython 2, rapids 8."""
        toggles = (
            (self.pool, Mode.POOL),
            (self.cython, Mode.CYTHON),
            (self.cluster_enabled, Mode.CLUSTER),
            (self.rapids, Mode.RAPIDS),
        )
        return Mode(sum(bit for on, bit in toggles if on))

    @property
    def modes_enabled(self) -> Mode:
        """The capabilities that an install stages: those of the mode."""
        return self.mode

    @property
    def scheduler_address(self) -> SchedulerAddress:
        """The scheduler's host and port."""
        return SchedulerAddress.parse(self.scheduler)

    @property
    def digest(self) -> str:
        """SHA-256 in hex of what a snippet depends on: the arguments and the keys that we use.

        It does not depend on the order of keys, and defaults count as if they were written.
        """
        return hashlib.sha256(_canonical(self.to_data()).encode()).hexdigest()

    def explain(self) -> list[str]:
        """What the settings amount to, in words, a line each, the mode first."""
        slots = ", ".join(f"{_counted(n, 'slot')} on {host}" for host, n in self.workers.items())
        limit = "no limit" if self.partition_timeout is None else f"{self.partition_timeout:g} s"
        cores = self.cores_per_slot or "the host's cores divided by its slots"
        return [
            self.mode.words,
            f"workers: {slots}; scheduler: {self.scheduler}",
            f"cores of each slot: {cores}",
            f"time: {limit} for a partition, {self.run_timeout:g} s for a run",
            f"verbose: {Verbosity(self.verbose).words}",
        ]

    def differences(self, other: Settings) -> list[Difference]:
        """What differs in the other settings, key by key: ``args.nfile``, ``cluster.pool``."""
        old, new = dict(_flat(self)), dict(_flat(other))
        return [
            Difference(dotted(key), old.get(key), new.get(key))
            for key in sorted(old.keys() | new.keys())
            if key not in old or key not in new or _canonical(old[key]) != _canonical(new[key])
        ]


_CLUSTER_FIELDS = tuple(f.name for f in fields(Settings) if f.name != "args")
_SECONDS = ("partition_timeout", "run_timeout")


def _flat(settings: Settings) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in settings.args.items():
        yield ("args", name), value
    for name in _CLUSTER_FIELDS:
        if name != "workers":
            yield ("cluster", name), getattr(settings, name)
    for host, slots in settings.workers.items():
        yield ("cluster", "workers", host), slots


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
