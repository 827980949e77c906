"""The doctor without other machines: its rules by values, its probes on this machine."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from agi_cluster.model.diagnosis import Family, Finding, Rung, Severity, Step, StepState
from agi_cluster.model.run import Run, RunState
from agi_daemon.doctor import survey
from agi_daemon.doctor.build import CurrentRelease, build_seen, not_installed
from agi_daemon.doctor.catalogue import CATALOGUE, ENTRIES, finding, finding_of, rung_of
from agi_daemon.doctor.currency import current_seen
from agi_daemon.doctor.detach import detach_seen
from agi_daemon.doctor.ladder import Probe, Seen, climb
from agi_daemon.doctor.on_host import SLEEPER
from agi_daemon.doctor.once import Once
from agi_daemon.doctor.scheduler import listening, scheduler_seen
from agi_daemon.doctor.survey import Survey
from agi_daemon.doctor.ways import up_to
from agi_daemon.install.installer import Installer
from agi_daemon.install.release import Release
from agi_daemon.install.resolution import Resolved, Role
from agi_daemon.transport.local import LocalTransport
from agi_env.app import App
from agi_env.errors import (
    HostLoginError,
    HostUnreachableError,
    RefusedError,
    SchedulerUnreachableError,
    catalogue,
)
from agi_env.mode import Mode
from agi_env.runtime.port_range import PortRange

GIB = 1024**3
HEALTHY = Survey(
    host="h1",
    python="3.11.2",
    python_path="/usr/bin/python3",
    uv="/usr/bin/uv",
    uv_says="uv 0.9",
    compiler="/usr/bin/cc",
    place="/root",
    free=50 * GIB,
    total=100 * GIB,
)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[LocalTransport]:
    yield LocalTransport(tmp_path / "host")


def codes(seen: Seen) -> list[str]:
    return [found.code for found in seen.findings]


def test_every_finding_has_its_family_and_a_remedy() -> None:
    assert {entry.family for entry in ENTRIES} == set(Family)
    assert len(CATALOGUE) == len(ENTRIES)
    for entry in ENTRIES:
        assert entry.remedy or entry.code in catalogue(), entry.code


def test_a_remedy_names_what_it_is_about() -> None:
    made = finding("STALE_CODE", "h1", "old", app="toy_project", run="r1")
    assert "`agi runs cancel r1`" in made.remedy and "`agi run toy_project`" in made.remedy
    assert not re.search(r"\b(HOST|APP|RUN)\b", made.remedy)
    assert "ssh h1" in finding("CLOCK_SKEW", "h1", "late").remedy


def test_an_error_that_nobody_foresaw_is_a_finding_of_its_rung() -> None:
    made = finding_of(RefusedError("no", where="elsewhere"), "h1", Rung.DISK)
    assert (made.code, made.rung, made.what) == ("REFUSED", Rung.DISK, "elsewhere: no")
    assert rung_of(RefusedError("no")) is Rung.LOGIN


@pytest.mark.parametrize(
    ("judge", "facts", "expected"),
    [
        (survey.python_seen, {}, []),
        (survey.python_seen, {"python": "3.9.2"}, ["PYTHON_MISMATCH"]),
        (survey.uv_seen, {}, []),
        (survey.uv_seen, {"uv": "", "uv_says": ""}, ["UV_MISSING"]),
        (survey.uv_seen, {"uv_says": ""}, ["UV_MISSING"]),
        (survey.disk_seen, {}, []),
        (survey.disk_seen, {"free": GIB}, ["DISK_LOW"]),
        (survey.disk_seen, {"fault": "ENOSPC", "words": "No space left"}, ["DISK_FULL"]),
        (survey.disk_seen, {"fault": "EROFS", "words": "Read-only"}, ["STATE_UNWRITABLE"]),
        (survey.disk_seen, {"fault": "HANGS"}, ["STATE_UNWRITABLE"]),
        (survey.clock_seen, {"skew": -4.9}, []),
        (survey.clock_seen, {"skew": -30.0}, ["CLOCK_SKEW"]),
        (survey.clock_seen, {"skew": 7200.0}, ["CLOCK_SKEW"]),
    ],
)
def test_a_survey_is_judged(judge: Any, facts: dict[str, Any], expected: list[str]) -> None:
    assert codes(judge(evolve(HEALTHY, **facts))) == expected


def test_a_python_has_to_fit_the_app() -> None:
    assert codes(survey.python_seen(HEALTHY, ">=3.11")) == []
    assert codes(survey.python_seen(HEALTHY, ">=3.12")) == ["PYTHON_MISMATCH"]


def test_a_compiler_is_missed_only_where_it_is_needed() -> None:
    bare = evolve(HEALTHY, compiler="")
    assert survey.compiler_seen(bare, needed=False).skipped
    assert codes(survey.compiler_seen(bare, needed=True)) == ["COMPILER_MISSING"]
    assert survey.compiler_seen(HEALTHY, needed=True) == Seen("/usr/bin/cc")


def test_a_clock_is_only_wrong_by_more_than_the_answer_took() -> None:
    answer = {
        **{"python": "3.11.2", "python_path": "p", "uv": "", "uv_says": "", "compiler": ""},
        "disk": {"place": "/", "free": 1, "total": 2},
    }
    for clock, skew in ((100.5, 0.0), (98.0, -2.0), (110.0, 9.0)):
        facts = {**answer, "clock": clock}
        assert Survey.from_json("h1", facts, asked=100.0, answered=101.0).skew == skew


async def test_this_machine_is_surveyed_and_nothing_is_left(here: LocalTransport) -> None:
    found = await survey.ask(here, deadline_s=20)
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.uv_says.startswith("uv ") and found.free > 0 and not found.fault
    assert abs(found.skew) < survey.SKEW_S
    assert not Path(here.root).exists()
    assert not list(Path(found.place).glob(".agi-check*"))


def test_what_fails_higher_up_lets_lower_rungs_hold() -> None:
    def asked(error: Exception) -> Once[str]:
        async def ask() -> str:
            raise error

        return Once(ask)

    async def judged() -> None:
        refused = asked(HostLoginError("no"))
        assert await up_to(Rung.REACH, refused) is None
        for rung in (Rung.LOGIN, Rung.SHELL):
            with pytest.raises(HostLoginError):
                await up_to(rung, refused)
        with pytest.raises(HostUnreachableError):
            await up_to(Rung.REACH, asked(HostUnreachableError("no")))

    asyncio.run(judged())


async def test_a_question_is_asked_once() -> None:
    asked: list[int] = []

    async def ask() -> int:
        asked.append(1)
        await asyncio.sleep(0)
        return len(asked)

    once = Once(ask)
    assert await asyncio.gather(once(), once(), once()) == [1, 1, 1]


async def test_rungs_that_stand_on_a_failed_one_are_skipped() -> None:
    async def well() -> Seen:
        return Seen("well")

    async def broken() -> Seen:
        raise HostUnreachableError("nobody answers", where="h1")

    async def never() -> Seen:
        await asyncio.Event().wait()
        raise AssertionError

    async def doubtful() -> Seen:
        return Seen("noise", (finding("SHELL_NOISY", "h1", "noise"),))

    async def defective() -> Seen:
        raise ZeroDivisionError

    told: list[Step] = []
    steps = await climb(
        "h1",
        [
            Probe(Rung.RESOLVE, well),
            Probe(Rung.REACH, broken, (Rung.RESOLVE,)),
            Probe(Rung.LOGIN, well, (Rung.REACH,)),
            Probe(Rung.UV, well, (Rung.LOGIN,)),
            Probe(Rung.SHELL, doubtful),
            Probe(Rung.DISK, well, (Rung.SHELL,)),
            Probe(Rung.CLOCK, never, deadline_s=0.01),
            Probe(Rung.SHARE, defective),
        ],
        told.append,
    )
    states = {step.rung: step.state for step in steps}
    assert states == {
        Rung.RESOLVE: StepState.PASSED,
        Rung.REACH: StepState.FAILED,
        Rung.LOGIN: StepState.SKIPPED,
        Rung.UV: StepState.SKIPPED,
        Rung.SHELL: StepState.WARNED,
        Rung.DISK: StepState.PASSED,
        Rung.CLOCK: StepState.FAILED,
        Rung.SHARE: StepState.FAILED,
    }
    found = {step.rung: codes(Seen(findings=step.findings)) for step in steps}
    assert found[Rung.REACH] == ["HOST_UNREACHABLE"]
    assert found[Rung.CLOCK] == ["HOST_COMMAND_TIMEOUT"]
    assert found[Rung.SHARE] == ["INTERNAL"]
    assert sorted(told, key=repr) == sorted(steps, key=repr)


class LoginThatTakesAll(LocalTransport):
    """Kills what was started through it when it is closed, as some hosts do at logout."""

    pid = 0

    async def run(self, *args: Any, **kwargs: Any) -> Any:
        done = await super().run(*args, **kwargs)
        found = re.search(rb'"pid": (\d+)', done.stdout)
        self.pid = int(found[1]) if found else 0
        return done

    async def aclose(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)


async def test_a_detached_process_outlives_its_login(here: LocalTransport) -> None:
    seen = await detach_seen(here, here)
    assert not seen.findings and "outlived" in seen.evidence
    pid = int(re.findall(r"\d+", seen.evidence)[0])
    answer = await SLEEPER.ask(here, {"pid": pid, "started": "0"}, deadline_s=20)
    assert answer == {"alive": False}


async def test_a_host_that_kills_at_logout_is_found(here: LocalTransport) -> None:
    seen = await detach_seen(LoginThatTakesAll(Path(here.root)), here)
    assert codes(seen) == ["DETACHED_KILLED"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


async def test_a_worker_reaches_the_port_where_a_run_would_listen(here: LocalTransport) -> None:
    port = free_port()
    async with listening(here, "127.0.0.1", PortRange(port, port)) as listener:
        assert await scheduler_seen(here, listener) == Seen(f"127.0.0.1:{port}")
        stranger = evolve(listener, token="another")
        with pytest.raises(SchedulerUnreachableError, match="somebody else answers there"):
            await scheduler_seen(here, stranger)
    with pytest.raises(SchedulerUnreachableError, match="connection refused"):
        await scheduler_seen(here, listener)


async def test_ports_that_are_taken_and_addresses_that_are_not_there(here: LocalTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SchedulerUnreachableError, match="address already in use"):
            async with listening(here, "127.0.0.1", PortRange(port, port)):
                pass
        async with listening(here, "127.0.0.1", PortRange(port, port + 9)) as listener:
            assert listener.port > port
    with pytest.raises(SchedulerUnreachableError, match="cannot assign requested address"):
        async with listening(here, "192.0.2.1", PortRange(24700, 24700)):
            pass


NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def a_run(release: str, *, state: RunState = RunState.RUNNING, **facts: Any) -> Run:
    return Run(
        id="r1",
        app="toy_project",
        mode=Mode.PLAIN,
        state=state,
        create_time=NOON,
        release=release,
        **facts,
    )


def a_release(app: App) -> CurrentRelease:
    resolved = Resolved(
        app=app,
        role=Role.WORKER,
        release=Release({"app: src/a.py": "1"}),
        lock=None,  # type: ignore[arg-type] - what is judged does not look at it
        own_wheels=(),
        native=None,
        verify=(),
        requires_python=">=3.11",
    )
    return CurrentRelease(app.name, resolved, (), ("app: src/a.py (edited)",))


def test_runs_of_older_sources_and_snippets_are_found(tmp_path: Path) -> None:
    release = a_release(App(tmp_path / "toy_project"))
    stale = current_seen("127.0.0.1", release, [a_run("0" * 64)])
    assert codes(stale) == ["STALE_CODE"]
    assert "app: src/a.py (edited)" in stale.findings[0].what
    assert codes(current_seen("127.0.0.1", release, [a_run(release.digest)])) == []
    assert codes(current_seen("127.0.0.1", release, [a_run("")])) == []
    ended = a_run("0" * 64, state=RunState.SUCCEEDED)
    assert codes(current_seen("127.0.0.1", release, [ended])) == []
    warned = evolve(
        ended, warnings=("cluster.pool was True when this snippet was rendered and is False",)
    )
    assert codes(current_seen("127.0.0.1", release, [warned])) == ["SNIPPET_STALE"]
    assert codes(current_seen("127.0.0.1", release, [ended, warned])) == []


def test_what_was_never_installed_is_said_with_what_changed(tmp_path: Path) -> None:
    release = a_release(App(tmp_path / "toy_project"))
    (found,) = not_installed(release, "h1").findings
    assert isinstance(found, Finding) and found.severity is Severity.WARNING
    assert found.code == "NOT_INSTALLED" and "(edited)" in found.what


def an_app(folder: Path) -> App:
    root = folder / "tiny_project"
    for name in ("tiny", "tiny_worker"):
        package = root / "src" / name
        package.mkdir(parents=True)
        (package / f"{name}.py").write_text("NAME = __name__\n")
    (root / "pyproject.toml").write_text(
        '[project]\nname = "tiny"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = []\n'
    )
    return App.at(root)


async def test_a_build_is_looked_for_and_imported(tmp_path: Path) -> None:
    app, host = an_app(tmp_path), LocalTransport(tmp_path / "state" / "host")
    installer = Installer(tmp_path / "state")

    async def current() -> CurrentRelease:
        resolved = await installer.resolver.recall(app, modes_enabled=Mode.PLAIN, role=Role.WORKER)
        offers = tuple(installer.resolver.offers(resolved)) if resolved else ()
        return CurrentRelease(app.name, resolved, offers)

    assert codes(await build_seen(host, await current())) == ["NOT_INSTALLED"]
    installed = await installer.ensure(app, [host], modes_enabled=Mode.PLAIN)
    (outcome,) = installed.hosts
    assert outcome.build
    seen = await build_seen(host, await current())
    assert not seen.findings and "as it was made" in seen.evidence

    [module] = Path(outcome.build.path).glob("lib/*/site-packages/tiny_worker/tiny_worker.py")
    module.unlink()
    assert codes(await build_seen(host, await current())) == ["BUILD_BROKEN"]
