"""The rungs of one host: which there are, what they stand on, and who looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from agi_cluster.model.diagnosis import Rung
from agi_cluster.model.selection import THIS_MACHINE
from agi_cluster.text import one_line
from agi_daemon.doctor import survey
from agi_daemon.doctor.build import build_seen
from agi_daemon.doctor.case import Case, clustered
from agi_daemon.doctor.catalogue import finding, finding_of
from agi_daemon.doctor.currency import current_seen
from agi_daemon.doctor.detach import detach_seen
from agi_daemon.doctor.ladder import Probe, Seen
from agi_daemon.doctor.once import Once
from agi_daemon.doctor.scheduler import scheduler_seen
from agi_daemon.doctor.survey import Survey
from agi_daemon.doctor.ways import Noisy, up_to
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import AgiError
from agi_env.mode import Mode

KNOCK_S = 2.5
"""Seconds for a host to show its key."""

SURVEY_S = 4.0
"""Seconds for the login, its shell and the survey."""

HIGH_S = 3.5
"""Seconds for each rung above; with the two below, a host is done within 10 s."""

_LOUDEST = 60


class Visit:
    """One host in a diagnosis.

    Args:
        case: The diagnosis.
        host: The host's address.
    """

    def __init__(self, case: Case, host: str) -> None:
        self._case = case
        self._host = host
        self._knock = Once(lambda: case.ways.knock(host))
        self._login = Once(self._logged_in)
        self._survey = Once(self._surveyed)

    def probes(self) -> list[Probe]:
        """The rungs of this host, each after those that it stands on."""
        return [*self._machine(), *self._common(), *self._app()]

    async def leave(self) -> None:
        """Close the connection that was made for the visit."""
        if self._host == THIS_MACHINE:
            return
        try:
            way = await self._login()
        except AgiError:  # then there is none, and its rung has said so
            return
        await way.aclose()

    def _machine(self) -> Iterator[Probe]:
        if self._host != THIS_MACHINE:
            yield from self._way()
        python = (Rung.PYTHON,)
        yield Probe(Rung.PYTHON, self._python, (Rung.SHELL,), SURVEY_S)
        yield Probe(Rung.UV, self._asked(survey.uv_seen), python)
        yield Probe(Rung.DISK, self._asked(survey.disk_seen), python)
        if self._host == THIS_MACHINE:
            yield Probe(Rung.COMPILER, self._compiler, python)
        else:
            yield Probe(Rung.CLOCK, self._asked(survey.clock_seen), python)
            yield Probe(Rung.DETACH, self._detach, python, HIGH_S)

    def _way(self) -> Iterator[Probe]:
        """The rungs below all others, each standing on the one before."""
        below: tuple[Rung, ...] = ()
        for rung in (Rung.RESOLVE, Rung.REACH, Rung.HOST_KEY):
            yield Probe(rung, self._knocked(rung), below, KNOCK_S + 0.5)
            below = (rung,)
        yield Probe(Rung.LOGIN, self._entered, below, SURVEY_S)
        yield Probe(Rung.SHELL, self._shell, (Rung.LOGIN,), SURVEY_S)

    def _common(self) -> Iterator[Probe]:
        if self._case.share is not None or self._case.app is not None:
            yield Probe(Rung.SHARE, self._share, (Rung.PYTHON,), HIGH_S)
        if self._case.app is not None:
            yield Probe(Rung.SCHEDULER, self._scheduler, (Rung.PYTHON,), HIGH_S)

    def _app(self) -> Iterator[Probe]:
        if self._case.app is None:
            return
        if self._host == THIS_MACHINE:
            yield Probe(Rung.SETTINGS, self._settings)
        yield Probe(Rung.BUILD, self._build, (Rung.PYTHON, Rung.SETTINGS), HIGH_S)
        if self._host == THIS_MACHINE:
            yield Probe(Rung.CURRENT, self._current, (Rung.SETTINGS,))

    async def _logged_in(self) -> HostTransport:
        return self._case.ways.fresh(self._host)

    async def _surveyed(self) -> Survey:
        return await survey.ask(await self._login(), deadline_s=SURVEY_S - 0.5)

    def _asked(self, judge: Callable[[Survey], Seen]) -> Callable[[], Awaitable[Seen]]:
        async def look() -> Seen:
            return judge(await self._survey())

        return look

    def _knocked(self, rung: Rung) -> Callable[[], Awaitable[Seen]]:
        async def look() -> Seen:
            shown = await up_to(rung, self._knock)
            return Seen(shown or "" if rung is Rung.HOST_KEY else "")

        return look

    async def _entered(self) -> Seen:
        await up_to(Rung.LOGIN, self._survey)
        return Seen()

    async def _shell(self) -> Seen:
        await up_to(Rung.SHELL, self._survey)
        way = await self._login()
        printed = way.noise.decode(errors="replace") if isinstance(way, Noisy) else ""
        noise = one_line(printed, _LOUDEST)
        if not noise:
            return Seen("quiet")
        what = f"the login shell prints before any command: {noise!r}"
        return Seen(what, (finding("SHELL_NOISY", self._host, what),))

    async def _python(self) -> Seen:
        required = self._case.app.requires_python if self._case.app else ""
        return survey.python_seen(await self._survey(), required)

    async def _compiler(self) -> Seen:
        enabled = Mode.PLAIN
        if self._case.app is not None:
            try:
                enabled = (await self._case.resolution()).modes_enabled
            except AgiError:  # the rung of the settings says it
                enabled = Mode.PLAIN
        return survey.compiler_seen(await self._survey(), needed=Mode.CYTHON in enabled)

    async def _detach(self) -> Seen:
        return await detach_seen(self._case.ways.fresh(self._host), await self._login())

    async def _share(self) -> Seen:
        if not await self._on_cluster():
            return Seen("the app runs on this machine only", skipped=True)
        try:
            sentinel = await self._case.sentinel()
        except AgiError as error:
            return self._elsewhere(error, THIS_MACHINE, Rung.SHARE)
        check = await sentinel.check(self._case.ways.transport(self._host))
        found = (finding_of(check.error, self._host, Rung.SHARE),) if check.error else ()
        return Seen(check.evidence, found)

    async def _scheduler(self) -> Seen:
        if not await self._on_cluster():
            return Seen("the app runs on this machine only", skipped=True)
        resolution = await self._case.resolution()
        if self._host not in resolution.cores and self._host != resolution.runner_host:
            return Seen("no worker of the app is here", skipped=True)
        try:
            listener = await self._case.listener()
        except AgiError as error:
            return self._elsewhere(error, resolution.runner_host, Rung.SCHEDULER)
        return await scheduler_seen(self._case.ways.transport(self._host), listener)

    async def _settings(self) -> Seen:
        resolution = await self._case.resolution()
        places = ", ".join(resolution.hosts)
        return Seen(f"mode {resolution.mode.words} on {places}; writes to {resolution.data_out}")

    async def _build(self) -> Seen:
        try:
            resolution = await self._case.resolution()
        except AgiError:
            return Seen("stands on settings", skipped=True)
        if self._host not in resolution.hosts:
            return Seen("no worker of the app is here", skipped=True)
        release = await self._case.release()
        return await build_seen(self._case.ways.transport(self._host), release)

    async def _current(self) -> Seen:
        return current_seen(self._host, await self._case.release(), await self._case.runs())

    async def _on_cluster(self) -> bool:
        """Whether the share and the scheduler matter: to machines alone, or to the app."""
        if self._case.app is None:
            return True
        try:
            return clustered(await self._case.resolution())
        except AgiError:
            return False

    def _elsewhere(self, error: AgiError, host: str, rung: Rung) -> Seen:
        """What one machine could not do for all is found there, and skipped by the others."""
        if self._host == host:
            return Seen(error.what, (finding_of(error, host, rung),))
        return Seen(f"stands on {host}: {error.what}", skipped=True)
