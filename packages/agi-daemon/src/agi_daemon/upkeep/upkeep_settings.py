"""What the daemon does by itself from time to time, as its environment says."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

from attrs import field, frozen

from agi_cluster.model.pruning import PrunePolicy
from agi_env.errors import InvalidInputError

DAY_S = 86400.0
RUNS_KEPT = 1000
REQUESTS_DAYS = 30.0
"""How long a request id is remembered: clients repeat a request for minutes at most."""


@frozen(kw_only=True)
class UpkeepSettings:
    """Backups and pruning that nobody has to ask for."""

    backup_every: float = DAY_S
    """Seconds between automatic backups; 0: none are made."""
    backups_kept: int = 7
    """How many of them are kept, and how many of those made before migrations."""
    pruning: PrunePolicy = field(
        factory=lambda: PrunePolicy(keep=RUNS_KEPT, requests_older_than=REQUESTS_DAYS * DAY_S)
    )
    """What is forgotten once a day; by default request ids alone."""
    probe_every: float = 15.0
    """Seconds between two writes that see whether the store can be written; 0: none."""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> UpkeepSettings:
        """Settings from the environment.

        Args:
            environ: Looked into for ``AGI_BACKUP_HOURS`` and ``AGI_BACKUPS_KEPT``, for
                ``AGI_PRUNE_RUNS_DAYS``, ``AGI_PRUNE_RUNS_KEPT``, ``AGI_PRUNE_EVENTS_DAYS`` and
                ``AGI_PRUNE_REQUESTS_DAYS`` (0: never), and for ``AGI_DAEMON_PROBE`` (seconds).

        Raises:
            InvalidInputError: A variable has a value that cannot be used.
        """
        default = cls()
        return cls(
            backup_every=_number("AGI_BACKUP_HOURS", environ, 24.0) * 3600.0,
            backups_kept=max(1, int(_number("AGI_BACKUPS_KEPT", environ, default.backups_kept))),
            pruning=PrunePolicy(
                older_than=_days("AGI_PRUNE_RUNS_DAYS", environ, 0.0),
                keep=int(_number("AGI_PRUNE_RUNS_KEPT", environ, RUNS_KEPT)),
                events_older_than=_days("AGI_PRUNE_EVENTS_DAYS", environ, 0.0),
                requests_older_than=_days("AGI_PRUNE_REQUESTS_DAYS", environ, REQUESTS_DAYS),
            ),
            probe_every=_number("AGI_DAEMON_PROBE", environ, default.probe_every),
        )


def _days(name: str, environ: Mapping[str, str], default: float) -> float | None:
    return _number(name, environ, default) * DAY_S or None


def _number(name: str, environ: Mapping[str, str], default: float) -> float:
    text = environ.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise InvalidInputError(
            f"{text!r} is no number of 0 or more", where=name, remedy="Correct or unset it"
        )
    return value
