"""Why nothing is heard of a worker: what may pass gives no slot up."""

from __future__ import annotations

import pytest

from agi_daemon.runs.exit_cause import unheard_cause
from agi_env.errors import (
    AgiError,
    HostConnectionLostError,
    HostLoginError,
    LoginShellHangsError,
    OutOfTimeError,
    RefusedError,
)
from agi_env.runtime.causes import EndKind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (HostConnectionLostError("it broke"), EndKind.HOST_UNREACHABLE),
        (HostLoginError("root may not log in"), EndKind.HOST_UNREACHABLE),
        (LoginShellHangsError("it starts nothing"), EndKind.HOST_UNREACHABLE),
        (OutOfTimeError("it took too long"), EndKind.TIMEOUT),
        (RefusedError("the line to it broke"), EndKind.NOT_STARTED),
    ],
)
def test_a_host_that_lets_nobody_in_is_out_of_reach(error: AgiError, kind: EndKind) -> None:
    cause = unheard_cause(error)
    assert cause.kind is kind and error.what in cause.detail
