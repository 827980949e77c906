"""The connections to one host: shared by commands, made when needed, made again when they break."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncssh

from agi_daemon.log import get_log
from agi_daemon.transport.ssh_caller import Line
from agi_daemon.transport.ssh_command import SshCommand
from agi_daemon.transport.ssh_failure import SshFailure
from agi_daemon.transport.ssh_process import SshProcess
from agi_daemon.transport.ssh_settings import SshSettings

_WINDOW_BYTES = 8 * 1024 * 1024
_PACKET_BYTES = 32 * 1024
_PATIENCE_S = 0.05
"""How long a command waits for one of a connection's to end, before another connection is made."""

_SIGNAL_WAIT_S = 1.0
_CLOSE_WAIT_S = 0.25
_KILL_S = 5.0
_KILL_GROUP = 'kill -KILL "-$1" || kill -KILL "$1"'

Dial = Callable[[], Awaitable[Line]]

_log = get_log(__name__)


class _Link:
    """One connection and the commands that share it."""

    def __init__(self, line: Line, sessions: int) -> None:
        self.line = line
        self.room = sessions
        self.in_use = 0
        self.has_served = False
        self._retirement: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        return self.line.caller.is_open

    @property
    def has_room(self) -> bool:
        return self.is_open and self.in_use < self.room

    def take(self) -> None:
        self.in_use += 1
        self.stay()

    def give_back(self, idle_s: float) -> None:
        self.in_use -= 1
        if not self.in_use and self.is_open:
            loop = asyncio.get_running_loop()
            self._retirement = loop.call_later(idle_s, self.line.connection.close)

    def stay(self) -> None:
        if self._retirement:
            self._retirement.cancel()
            self._retirement = None


class SshPool:
    """All connections to one host.

    Args:
        host: Its name in worker maps.
        ssh: Deadlines and limits.
        dial: Makes one connection to it.
    """

    def __init__(self, host: str, ssh: SshSettings, dial: Dial) -> None:
        self._host = host
        self._ssh = ssh
        self._make_line = dial
        self._links: list[_Link] = []
        self._dialling: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._server_signals = True
        self.failure = SshFailure(host, ssh)
        self.noise = b""
        """What the login shell said before the last command."""

    async def start(self, command: SshCommand) -> SshProcess:
        """Start a command, and wait until it runs.

        Raises:
            HostError: The host cannot be reached, or its login starts no command.
        """
        while (process := await self._open(await self._link(), command)) is None:  # noqa: ASYNC110
            await asyncio.sleep(_PATIENCE_S)
        try:
            await self._started(process)
        except BaseException:
            await self.end(process)
            raise
        return process

    async def end(self, process: SshProcess) -> bool:
        """Kill what is left of a command, all of its process group; false: nobody answered."""
        if process.is_closed:
            return True
        try:
            async with asyncio.timeout(_KILL_S):
                await self._kill(process)
        except TimeoutError:
            _log.warning("ssh_kill_unanswered", host=self._host)
            return False
        finally:
            process.abandon()
        return True

    async def aclose(self) -> None:
        """Close all connections; what runs over them is not waited for."""
        if self._dialling:
            self._dialling.cancel()
            await asyncio.gather(self._dialling, return_exceptions=True)
        links, self._links = self._links, []
        async with asyncio.TaskGroup() as group:
            for link in links:
                link.stay()
                group.create_task(link.line.close(), name=f"hanging up on {self._host}")

    async def _started(self, process: SshProcess) -> None:
        try:
            async with asyncio.timeout(self._ssh.shell_s):
                runs = await process.started()
        except TimeoutError:
            raise self.failure.hanging_shell(process.opening.noise) from None
        self.noise = process.opening.noise
        if not runs and process.lost:
            raise self.failure.lost(process.lost)
        if not runs:
            said = process.opening.noise or process.stderr_tail()
            raise self.failure.no_commands(process.code, said)

    async def _kill(self, process: SshProcess) -> None:
        """Have the server signal the group; where it will not or cannot, do it from beside.

        sshd sends no signals for root's logins nor for forced commands, which is found out once. A
        shell that hangs before the command started cannot be killed there: it is let go of.
        """
        process.forget_output()
        if process.code is None and (self._server_signals or not process.opening.pid):
            process.signal_kill()
            await process.exited_within(_SIGNAL_WAIT_S)
            self._server_signals = process.code is not None
        if process.code is not None:
            await process.closed_within(_CLOSE_WAIT_S)
        if not process.is_closed and process.opening.pid:
            await self._kill_from_beside(process.opening.pid)
            await process.closed()

    async def _kill_from_beside(self, pid: int) -> None:
        command = SshCommand.of(["sh", "-c", _KILL_GROUP, "agi", str(pid)])
        for link in [link for link in self._links if link.is_open]:
            beside = await self._open(link, command)
            if beside:
                return await beside.closed()
        await self._dial()
        beside = await self._open(self._links[-1], command)
        if beside:
            await beside.closed()
        return None

    async def _open(self, link: _Link, command: SshCommand) -> SshProcess | None:
        """Ask for a command over a connection; None when that one takes no more."""
        process = SshProcess(command.mark)
        process.on_closed = lambda: self._give_back(link)
        begun = asyncio.create_task(self._begin(link, process, command), name="opening a session")
        link.take()
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            await self._take_back(begun)
            raise

    async def _begin(
        self, link: _Link, process: SshProcess, command: SshCommand
    ) -> SshProcess | None:
        asked = False

        def session() -> SshProcess:
            nonlocal asked
            asked = link.has_served = True
            return process

        try:
            await link.line.connection.create_session(
                session,
                command.line,  # type: ignore[arg-type] # text or bytes, whatever it is declared as
                request_pty=False,
                encoding=None,
                window=_WINDOW_BYTES,
                max_pktsize=_PACKET_BYTES,
            )
        except (asyncssh.Error, OSError) as error:
            if not asked:
                self._give_back(link)
            if asked:
                raise self.failure.lost(error) from error
            if link.is_open:
                self._learn(link, error)
            return None
        return process

    async def _take_back(self, begun: asyncio.Task[SshProcess | None]) -> None:
        """End a command whose caller went away while it was asked for."""
        with suppress(TimeoutError, asyncssh.Error):
            async with asyncio.timeout(_KILL_S):
                process = await begun
                if process is not None:
                    await self.end(process)

    def _learn(self, link: _Link, error: Exception) -> None:
        """The server allows fewer sessions than we thought."""
        if not link.has_served:
            raise self.failure.no_session(error)
        link.room = max(1, min(link.room, link.in_use))
        _log.info("ssh_sessions_limited", host=self._host, sessions=link.room)

    def _give_back(self, link: _Link) -> None:
        link.give_back(self._ssh.idle_s)
        self._room.set()

    async def _link(self) -> _Link:
        """A connection with room for one more command.

        Raises:
            HostError: None can be made, or all that may be are full for too long.
        """
        patience_ends = asyncio.get_running_loop().time() + self._ssh.room_s
        while True:
            self._links = [link for link in self._links if link.is_open]
            for link in self._links:
                if link.has_room:
                    return link
            if self._links and await self._some_room(patience_ends):
                continue
            await self._dial()

    async def _some_room(self, patience_ends: float) -> bool:
        """Whether a command of the connections that there are has ended; else one more may be made.

        Raises:
            HostError: No more may be made, and none has ended until then.
        """
        self._room.clear()
        full = len(self._links) >= self._ssh.links
        soon = asyncio.get_running_loop().time() + _PATIENCE_S
        try:
            async with asyncio.timeout_at(patience_ends if full else soon):
                return await self._room.wait()
        except TimeoutError:
            if full:
                raise self.failure.no_room(sum(link.room for link in self._links)) from None
            return False

    async def _dial(self) -> None:
        """Make one connection, for all who wait for one."""
        if self._dialling is None:
            self._dialling = asyncio.create_task(
                self._add_link(), name=f"connecting to {self._host}"
            )
            self._dialling.add_done_callback(self._dialled)
        await asyncio.shield(self._dialling)

    def _dialled(self, task: asyncio.Task[None]) -> None:
        self._dialling = None
        if not task.cancelled():
            task.exception()  # told to those who wait; where none does, to nobody

    async def _add_link(self) -> None:
        line = await self._make_line()
        link = _Link(line, self._ssh.sessions)
        line.caller.on_lost = lambda: self._drop(link)
        self._links.append(link)
        _log.info("ssh_connected", host=self._host, connections=len(self._links))

    def _drop(self, link: _Link) -> None:
        link.stay()
        for tunnel in link.line.tunnels:
            tunnel.close()
        self._room.set()
        if link.line.caller.lost:
            reason = str(link.line.caller.lost)
            _log.info("ssh_connection_lost", host=self._host, reason=reason)
