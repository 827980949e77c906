"""``validate_only`` changes nothing and fails exactly when the real call would."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

STOP = "DaemonService.StopDaemon"
MADE = {"name", "create_time", "requires_python"}
"""Fields that have a meaning once the thing is made; the last of an app from the template."""
SEEN = {"check_time", "seen_time", "disk_free_bytes", "clock_offset"}
"""Fields of a host that differ each time it is looked at."""


def plain(answer: Any) -> Any:
    """The answer without what is different in each new resource."""
    kept = type(answer).FromString(answer.SerializeToString())
    for field in (MADE | SEEN) & set(kept.DESCRIPTOR.fields_by_name):
        kept.ClearField(field)
    return kept


def test_a_dry_run_changes_nothing_and_answers_as_the_real_call(
    world: Any, wire: Any, a_change: Any
) -> None:
    request, mark = world.filled(a_change.request), str(uuid.uuid4())
    before = world.state()
    for _ in range(2):
        dry = wire.call(a_change.name, request, request_id=mark, validate_only=True)
        assert world.state() == before
    if a_change.name == STOP:
        assert wire.call("DaemonService.GetDaemon", {}) == dry
        return
    real = wire.call(a_change.name, request, request_id=mark)
    world.settle(real)
    assert plain(dry) == plain(real)


def test_a_dry_run_fails_as_the_real_call_does(
    world: Any, wire: Any, a_refused_change: Any
) -> None:
    name, request = a_refused_change.method.name, world.filled(a_refused_change.request)
    before = world.state()
    dry = wire.refusal(name, request, validate_only=True)
    real = wire.refusal(name, request)
    assert (dry.code, dry.status, dry.message) == (real.code, real.status, real.message)
    assert world.state() == before


@pytest.mark.parametrize(
    ("method", "field"),
    [
        ("AppService.UpdateSettings", "name"),
        ("AppService.ResetSettings", "name"),
        ("InstallationService.CreateInstallation", "app"),
        ("RunService.StartRun", "app"),
    ],
)
def test_a_dry_run_leaves_an_unknown_folder_unknown(
    world: Any, wire: Any, make_app: Any, method: str, field: str
) -> None:
    before = world.state()
    app: Path = make_app("stranger", settings="[args]\nword = 1\n")
    wire.call(method, {field: str(app)}, validate_only=True)
    assert world.state() == before


def test_a_dry_run_of_a_change_says_what_it_would_be(world: Any, wire: Any) -> None:
    request = {"name": "toy", "changes": [{"key": "cluster.pool", "value": "true"}]}
    now = wire.call("AppService.GetSettings", {"name": "toy"})
    dry = wire.call("AppService.UpdateSettings", request, validate_only=True, etag=now.etag)
    assert (now.mode, dry.mode) == (0, 1)
    real = wire.call("AppService.UpdateSettings", request, etag=now.etag)
    assert real == dry
    stale = wire.refusal("AppService.UpdateSettings", request, validate_only=True, etag=now.etag)
    assert stale.code == "ETAG_MISMATCH"
    back = wire.call("AppService.ResetSettings", {"name": "toy"}, etag=real.etag)
    assert back.mode == 0
