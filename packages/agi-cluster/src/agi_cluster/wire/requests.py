"""What the longer calls ask for."""

from __future__ import annotations

from typing import Any

from agi_cluster.api.v1 import installations_pb2, plans_pb2, runs_pb2
from agi_cluster.model.requests import CreateInstallation, CreatePlan, StalePlan, StartRun
from agi_cluster.wire.json_value import exact_to_wire, struct_from_wire
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import app_reference
from agi_cluster.wire.run import snippet_origin_from_wire, snippet_origin_to_wire
from agi_cluster.wire.selection import selection_from_wire, selection_to_wire
from agi_cluster.wire.state import enum_from_wire, enum_to_wire
from agi_env.errors import RequestInvalidError
from agi_env.mode import Mode

MIN_RUN_TIMEOUT_S = 0.001
MOST_ATTEMPTS = 100


def create_installation_to_wire(
    request: CreateInstallation, *, request_id: str, validate_only: bool = False
) -> installations_pb2.CreateInstallationRequest:
    """The request as a message.

    Raises:
        RequestInvalidError: A value cannot be carried.
    """
    return checked(installations_pb2.CreateInstallationRequest)(
        request_id=request_id,
        app=request.app,
        selection=selection_to_wire(request.selection),
        modes_enabled=request.modes_enabled,
        upgrade=request.upgrade,
        release=request.release,
        validate_only=validate_only,
    )


def create_installation_from_wire(
    request: installations_pb2.CreateInstallationRequest,
) -> CreateInstallation:
    """The request in a message.

    Raises:
        InvalidInputError: No app, a slot count below 1, or an impossible mode.
    """
    enabled = request.modes_enabled if request.HasField("modes_enabled") else None
    return CreateInstallation(
        app=app_reference(request.app),
        selection=selection_from_wire(request.selection),
        modes_enabled=_mode(enabled),
        upgrade=request.upgrade,
        release=request.release,
    )


def create_plan_to_wire(
    request: CreatePlan, *, request_id: str, validate_only: bool = False
) -> plans_pb2.CreatePlanRequest:
    """The request as a message.

    Raises:
        RequestInvalidError: A value cannot be carried.
    """
    return checked(plans_pb2.CreatePlanRequest)(
        request_id=request_id,
        app=request.app,
        selection=selection_to_wire(request.selection),
        mode=request.mode,
        args=exact_to_wire(request.args, where="args"),
        no_install=request.no_install,
        validate_only=validate_only,
        without=request.without,
        slots=request.slots,
        rebase=request.rebase,
    )


def create_plan_from_wire(request: plans_pb2.CreatePlanRequest) -> CreatePlan:
    """The request in a message.

    Raises:
        InvalidInputError: No app, a slot count below 1, or an impossible mode.
    """
    return CreatePlan(
        app=app_reference(request.app),
        selection=selection_from_wire(request.selection),
        mode=_mode(request.mode if request.HasField("mode") else None),
        args=struct_from_wire(request.args),
        no_install=request.no_install,
        without=tuple(request.without),
        slots=dict(request.slots),
        rebase=request.rebase,
    )


def start_run_to_wire(
    request: StartRun, *, request_id: str, validate_only: bool = False
) -> runs_pb2.StartRunRequest:
    """The request as a message.

    Raises:
        RequestInvalidError: A value cannot be carried.
    """
    return checked(runs_pb2.StartRunRequest)(
        request_id=request_id,
        app=request.app,
        mode=request.mode,
        selection=selection_to_wire(request.selection),
        args=exact_to_wire(request.args, where="args"),
        plan=request.plan,
        no_install=request.no_install,
        snippet=snippet_origin_to_wire(request.snippet),
        verbose=request.verbose,
        partition_timeout_seconds=request.partition_timeout,
        run_timeout_seconds=request.run_timeout,
        max_attempts=request.max_attempts,
        release=request.release,
        validate_only=validate_only,
        stale_plan=_stale_plan(request.stale_plan),
    )


def start_run_from_wire(request: runs_pb2.StartRunRequest) -> StartRun:
    """The request in a message.

    Raises:
        InvalidInputError: No app, a slot count below 1, or an impossible mode.
    """
    origin = snippet_origin_from_wire(request.snippet) if request.HasField("snippet") else None
    return StartRun(
        app=app_reference(request.app),
        mode=_mode(request.mode if request.HasField("mode") else None),
        selection=selection_from_wire(request.selection),
        args=struct_from_wire(request.args),
        plan=request.plan,
        no_install=request.no_install,
        snippet=origin,
        verbose=request.verbose if request.HasField("verbose") else None,
        partition_timeout=_limit(request, "partition_timeout_seconds", 0),
        run_timeout=_limit(request, "run_timeout_seconds", MIN_RUN_TIMEOUT_S),
        max_attempts=_attempts(request),
        release=request.release,
        stale_plan=enum_from_wire(StalePlan, runs_pb2.StalePlan, request.stale_plan)
        if request.stale_plan
        else None,
    )


def _limit(request: runs_pb2.StartRunRequest, field: str, least: float) -> float | None:
    if not request.HasField(field):  # type: ignore[arg-type]
        return None
    seconds = float(getattr(request, field))
    if not least <= seconds < float("inf"):
        raise RequestInvalidError(f"{seconds:g} is no time limit", where=field)
    return seconds


def _attempts(request: runs_pb2.StartRunRequest) -> int | None:
    if not request.HasField("max_attempts"):
        return None
    if not 1 <= request.max_attempts <= MOST_ATTEMPTS:
        raise RequestInvalidError(
            f"{request.max_attempts} is no number of attempts",
            where="max_attempts",
            remedy=f"Give 1 to {MOST_ATTEMPTS}",
        )
    return request.max_attempts


def _stale_plan(choice: StalePlan | None) -> Any:
    return choice and enum_to_wire(runs_pb2.StalePlan, choice)


def _mode(number: int | None) -> Mode | None:
    return None if number is None else Mode.parse(number)
