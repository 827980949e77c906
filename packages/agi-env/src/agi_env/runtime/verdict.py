"""The verdict on a run that did not succeed: one error of the catalogue for what went wrong."""

from __future__ import annotations

from agi_env.errors import (
    AgiError,
    AppError,
    AppImportError,
    AppInvalidError,
    CancelledRunError,
    DeviceFailedError,
    DiskFullError,
    ExecutorDiedError,
    NotCompiledError,
    OutputTooLargeError,
    PartitionFailedError,
    PartitionTimeoutError,
    ReduceFailedError,
    ResultNotJsonError,
    RunFailedError,
    RunTimeoutError,
    WorkersLostError,
    WorkMissingError,
)
from agi_env.runtime.app_class import import_remedy
from agi_env.runtime.causes import EndCause, FailureCause, FailureKind
from agi_env.runtime.partitions import Partition

MAX_TRACEBACK_CHARS = 3000
"""How much of a traceback goes along with an error: what is sent with a gRPC status is short."""

_OF_PARTITION: dict[FailureKind, type[AgiError]] = {
    FailureKind.NOT_JSON: ResultNotJsonError,
    FailureKind.TIMEOUT: PartitionTimeoutError,
    FailureKind.EXIT: ExecutorDiedError,
    FailureKind.SIGNAL: ExecutorDiedError,
    FailureKind.OOM: ExecutorDiedError,
    FailureKind.TOO_LARGE: OutputTooLargeError,
    FailureKind.NO_ROOM: DiskFullError,
}
_OF_REDUCTION: dict[FailureKind, type[AgiError]] = {
    FailureKind.NOT_JSON: ResultNotJsonError,
    FailureKind.TOO_LARGE: OutputTooLargeError,
    FailureKind.NO_ROOM: DiskFullError,
}
_OF_START: dict[FailureKind, type[AgiError]] = {
    FailureKind.IMPORT: AppImportError,
    FailureKind.CLASS_MISSING: AppInvalidError,
    FailureKind.WORK_MISSING: WorkMissingError,
    FailureKind.NOT_COMPILED: NotCompiledError,
    FailureKind.NO_DEVICE: DeviceFailedError,
}


def partition_failed(partition: Partition, cause: FailureCause, *, kept: bool = False) -> AgiError:
    """A partition failed for good.

    Args:
        partition: The partition.
        cause: Why.
        kept: Whether it is said that there are results of others.
    """
    cls = _OF_PARTITION.get(cause.kind, PartitionFailedError)
    remedies = [cls.advice]
    if cls is ResultNotJsonError:
        remedies.append("write anything else to a file in `out`")
    if kept:
        remedies.append("the other partitions' results are kept")
    remedy = "; ".join(remedies)
    facts = {"partition": partition.id, **_facts(cause)}
    return cls(cause.message, where=f"partition {partition.label}", remedy=remedy, metadata=facts)


def start_failed(cause: FailureCause) -> AgiError:
    """The app's own code keeps every executor from starting."""
    cls = _OF_START.get(cause.kind, AppError)
    remedy = import_remedy(cause.message) if cause.kind is FailureKind.IMPORT else ""
    return cls(cause.message, remedy=remedy, metadata=_facts(cause))


def start_timed_out(seconds: float) -> AgiError:
    """An executor did not become ready in time."""
    return AppError(
        f"the worker did not start within {seconds:g} s",
        remedy="Make start() shorter; `agi runs logs RUN` shows what it printed",
    )


def executors_gone(end: EndCause) -> AgiError:
    """No executor can be kept alive."""
    return ExecutorDiedError(
        f"no executor stays alive; the last one {end.words} before it finished anything",
        remedy="`agi runs logs RUN` shows what it printed last",
        metadata={"kind": str(end.kind), "log_tail": end.log_tail[-MAX_TRACEBACK_CHARS:]},
    )


def workers_gone(reason: str) -> AgiError:
    """No slot has a worker, and none will have one."""
    return WorkersLostError(f"no slot of the run has a worker any more: {reason}")


def reduce_failed(cause: FailureCause, partitions: int) -> AgiError:
    """``reduce`` did not give a value for the results of so many partitions."""
    cls = _OF_REDUCTION.get(cause.kind, ReduceFailedError)
    if partitions:
        return cls(cause.message, metadata=_facts(cause))
    return cls(
        f"partitions() named nothing, and for no results {cause.message}",
        remedy="See why partitions() names nothing for these arguments, or have reduce(results)"
        " take an empty list",
        metadata=_facts(cause),
    )


def stop_failed(cause: FailureCause) -> AgiError:
    """``stop`` failed after all the work was done."""
    return AppError(cause.message, metadata=_facts(cause))


def run_timed_out(seconds: float) -> AgiError:
    """The run as a whole took too long."""
    return RunTimeoutError(f"the run took longer than {seconds:g} s")


def cancelled() -> AgiError:
    """Somebody asked for the end."""
    return CancelledRunError("the run was cancelled")


def data_out_unusable(path: str, reason: AgiError) -> AgiError:
    """The directory for the results cannot be written."""
    if isinstance(reason, DiskFullError):
        return reason
    return RunFailedError(
        f"the results cannot be stored: {reason.what}",
        where=path,
        remedy="Make data_out a directory that this user can write to",
    )


def _facts(cause: FailureCause) -> dict[str, str]:
    facts = {"kind": str(cause.kind)}
    if cause.traceback:
        facts["traceback"] = cause.traceback[-MAX_TRACEBACK_CHARS:]
    return facts
