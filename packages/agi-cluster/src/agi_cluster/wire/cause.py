"""Why something ended."""

from __future__ import annotations

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.model.run import Cause


def cause_to_wire(cause: Cause | None) -> pb.Cause | None:
    """The cause as a message; None leaves the field unset."""
    if cause is None:
        return None
    return pb.Cause(
        kind=cause.kind,
        message=cause.message,
        exit_code=cause.exit_code,
        signal=cause.signal,
        log_tail=cause.log_tail,
    )


def cause_from_wire(cause: pb.Cause) -> Cause | None:
    """The cause in a message; None where there is none."""
    if not cause.kind:
        return None
    return Cause(
        kind=cause.kind,
        message=cause.message,
        exit_code=cause.exit_code if cause.HasField("exit_code") else None,
        signal=cause.signal if cause.HasField("signal") else None,
        log_tail=cause.log_tail,
    )
