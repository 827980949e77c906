"""What a caller of the facade asks for, checked before anybody else hears of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from agi_cluster.model.requests import StalePlan
from agi_cluster.model.run import SnippetOrigin
from agi_cluster.model.selection import Selection
from agi_cluster.model.snippet import SNIPPET_API
from agi_env.errors import RequestInvalidError, SlotsInvalidError
from agi_env.mode import Mode
from agi_env.scheduler_address import SchedulerAddress
from agi_env.slip import meant


class SettingsMode:
    """Stands for the mode of the settings where None already means something else."""

    def __repr__(self) -> str:
        return "the settings' mode"


_PARAMETERS = ("mode", "modes_enabled", "workers", "scheduler", "stale_plan", "verbose", "upgrade")

SETTINGS_MODE = SettingsMode()
"""What ``mode`` of ``AGI.run`` is when it is left out."""


@frozen(kw_only=True)
class RunRequest:
    """A run in one value: ``AGI.run(app_env, request=RunRequest(...))``.

    What is None comes from the app's settings. ``data_in``, ``data_out`` and ``reset_target`` are
    arguments of the app, as those in ``params`` are.
    """

    mode: int | None = None
    scheduler: str | None = None
    workers: Mapping[str, int] | None = None
    params: Mapping[str, Any] | None = None
    data_in: str | os.PathLike[str] | None = None
    data_out: str | os.PathLike[str] | None = None
    reset_target: bool | None = None

    @property
    def args(self) -> dict[str, Any]:
        """The app's arguments."""
        named = {
            "data_in": self.data_in,
            "data_out": self.data_out,
            "reset_target": self.reset_target,
        }
        given = {key: value for key, value in named.items() if value is not None}
        return {**(self.params or {}), **given}


def combined(
    request: RunRequest | None,
    *,
    mode: int | None,
    scheduler: str | None,
    workers: Mapping[str, int] | None,
    args: Mapping[str, Any],
) -> RunRequest:
    """The request with what was given beside it.

    Raises:
        RequestInvalidError: Something was given in both.
    """
    if request is None:
        return RunRequest(mode=mode, scheduler=scheduler, workers=workers, params=args)
    beside = {"mode": mode, "scheduler": scheduler, "workers": workers}
    twice = [key for key, value in beside.items() if value is not None]
    twice += [key for key in args if key in request.args]
    if twice:
        raise RequestInvalidError(
            f"{', '.join(twice)} given in the request and beside it", remedy="Give it once"
        )
    return RunRequest(
        mode=request.mode,
        scheduler=request.scheduler,
        workers=request.workers,
        params={**request.args, **args},
    )


def chosen_mode(mode: int | None) -> Mode | None:
    """The mode; None leaves it to the settings.

    Raises:
        InvalidModeError: It is no mode.
    """
    return None if mode is None else Mode.parse(mode)


def asked_modes(
    mode: int | Sequence[int] | SettingsMode | None,
) -> tuple[Mode, ...] | None:
    """The modes of a benchmark, none for all that can be run; None where one run is asked for.

    Raises:
        InvalidModeError: One of them is no mode.
        RequestInvalidError: The list is empty.
    """
    if mode is None:
        return ()
    if isinstance(mode, SettingsMode) or not isinstance(mode, list | tuple | range):
        return None
    if not mode:
        raise RequestInvalidError("the list of modes is empty", where="mode", remedy="Name one")
    return tuple(Mode.parse(each) for each in mode)


def refuse_beside(modes: tuple[Mode, ...], **others: object) -> None:
    """Refuse what has no meaning for a benchmark.

    Raises:
        RequestInvalidError: Something was given.
    """
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise RequestInvalidError(
            f"{', '.join(given)} given for a benchmark of {len(modes) or 'all'} modes",
            where="mode",
            remedy="Give one mode, or leave the rest out",
        )


def chosen_stale_plan(choice: StalePlan | str | None) -> StalePlan | None:
    """What to do with a plan where something has changed; None: refuse it.

    Raises:
        RequestInvalidError: It is no such choice.
    """
    if choice is None or isinstance(choice, StalePlan):
        return choice
    try:
        return StalePlan(choice.upper())
    except ValueError as error:
        raise RequestInvalidError(
            f"{choice!r} is no choice", where="stale_plan", remedy="Give 'proceed' or 'rebase'"
        ) from error


def chosen_hosts(scheduler: str | None, workers: Mapping[str, int] | None) -> Selection:
    """The selection; what is None is left to the settings.

    Raises:
        SlotsInvalidError: ``workers`` is no map of hosts to whole numbers of at least 1.
        RequestInvalidError: ``scheduler`` is no host.
    """
    if workers is not None and (not isinstance(workers, Mapping) or not workers):
        raise SlotsInvalidError(f"{workers!r} is no map of hosts to slots", where="workers")
    return Selection(scheduler=_scheduler(scheduler), workers=workers or {})


def refuse_slips(args: Mapping[str, Any]) -> None:
    """Refuse app arguments whose names must be slips of the facade's own parameters.

    Raises:
        RequestInvalidError: There is such an argument.
    """
    for name in args:
        likely = meant(name, _PARAMETERS)
        if likely:
            raise RequestInvalidError(
                f"{name} is no parameter, and {likely} is very like it",
                remedy=f"Say {likely}=, if that is what is meant; an argument of the app with such"
                " a name is given by its settings",
            )


def plain_args(args: Mapping[str, Any]) -> dict[str, Any]:
    """The app's arguments with paths as text."""
    return {
        key: os.fspath(value) if isinstance(value, os.PathLike) else value
        for key, value in args.items()
    }


def snippet_origin(snippet: SnippetOrigin | str | None) -> SnippetOrigin | None:
    """The origin of the snippet that asks, from the digest of settings that it carries."""
    if isinstance(snippet, str):
        return SnippetOrigin(api=SNIPPET_API, settings_digest=snippet)
    return snippet


def _scheduler(scheduler: str | None) -> str:
    if scheduler is None:
        return ""
    try:
        SchedulerAddress.parse(scheduler)
    except (TypeError, ValueError) as error:
        raise RequestInvalidError(
            f"{scheduler!r} is no scheduler", where="scheduler", remedy="Give a host or host:port"
        ) from error
    return scheduler
