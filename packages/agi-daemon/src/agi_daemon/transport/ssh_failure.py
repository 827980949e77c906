"""What went wrong on the way to a host, in words that say what to do."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from pathlib import PurePosixPath

import asyncssh

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.ssh_config import Route
from agi_daemon.transport.ssh_keys import Keyring
from agi_daemon.transport.ssh_settings import SshSettings
from agi_env.errors import (
    AgiError,
    HostConnectionLostError,
    HostError,
    HostKeyChangedError,
    HostKeyUntrustedError,
    HostLoginError,
    HostUnreachableError,
    HostUnresolvedError,
    LoginShellHangsError,
    PythonMissingError,
    RefusedError,
    UvMissingError,
)

_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_MISSING: dict[str, type[AgiError]] = {"uv": UvMissingError, "python": PythonMissingError}


class SshFailure:
    """Makes the catalogue's errors for one host.

    Args:
        host: Its name in worker maps.
        ssh: The deadlines that passed.
    """

    def __init__(self, host: str, ssh: SshSettings) -> None:
        self._host = host
        self._ssh = ssh

    def of_way(self, at: Route, error: OSError | asyncssh.Error) -> AgiError:
        """The host, or one to jump through, cannot be connected to."""
        if isinstance(error, socket.gaierror):
            return self._unresolved(at, error.strerror or str(error))
        return self._unreachable(at, self._reason(error))

    def _reason(self, error: OSError | asyncssh.Error) -> str:
        match error:
            case ConnectionRefusedError():
                reason = "nothing listens at that port"
            case TimeoutError():
                reason = f"no answer within {self._ssh.connect_s:g} s"
            case OSError():
                way = "there is no way to it: " if error.errno in _NO_ROUTE else ""
                reason = f"{way}{error.strerror or error}"
            case asyncssh.ChannelOpenError():
                reason = f"the jump host cannot connect to it: {error.reason}"
            case asyncssh.ConnectionLost():
                reason = "it closed the connection before the login"
            case asyncssh.DisconnectError():
                reason = f"it does not talk as an SSH server: {error.reason}"
            case _:
                reason = str(error)
        return reason

    def changed_key(self, pinned: HostKey, shown: HostKey) -> HostKeyChangedError:
        """It shows another key than the accepted one."""
        return HostKeyChangedError(
            f"it shows the key {shown.fingerprint} and not the accepted {pinned.fingerprint}. "
            "Either its key was replaced, as when it was installed anew, or something else answers "
            "in its place. Nobody logged in to it, and nothing is sent to it any more",
            where=self._host,
            remedy="Ask whoever runs that host. If the new key is its own, "
            f"`agi hosts trust {self._host}` accepts it",
            metadata=self._facts(pinned=pinned.fingerprint, shown=shown.fingerprint),
        )

    def unknown_jump(self, hop: Route, shown: HostKey) -> HostKeyUntrustedError:
        """The user's known hosts do not have a jump host's key."""
        files = ", ".join(map(str, hop.known_hosts))
        return HostKeyUntrustedError(
            f"the way leads through {hop.name}, whose key {shown.fingerprint} is not in {files}",
            where=self._host,
            remedy=f"`ssh {hop.name}` shows its key, and remembers it once you have accepted it",
            metadata=self._facts(jump=hop.name, shown=shown.fingerprint),
        )

    def login(
        self, at: Route, ring: Keyring, tried: Sequence[str], password: bool, said: str = ""
    ) -> HostLoginError:
        """The host, or one to jump through, lets nobody in with these keys or this password."""
        what = _what_was_tried(ring, tried, password) + (f" ({said})" if said else "")
        place = "" if at.name == self._host else f" to {at.name}"
        return HostLoginError(
            f"{at.user} may not log in{place} {what}",
            where=self._host,
            remedy=self._login_remedy(ring, password),
            metadata=self._facts(user=at.user, tried=", ".join(tried)),
        )

    def lost(self, error: Exception | None) -> HostConnectionLostError:
        """The connection broke in the middle."""
        reason = getattr(error, "reason", "") or str(error or "")
        return HostConnectionLostError(
            f"the connection broke in the middle{f': {reason}' if reason else ''}",
            where=self._host,
            metadata=self._facts(),
        )

    def hanging_shell(self, noise: bytes) -> LoginShellHangsError:
        """The login shell does not come to the command."""
        return LoginShellHangsError(
            f"the login shell started no command in {self._ssh.shell_s:g} s{_quoting(noise)}",
            where=self._host,
            metadata=self._facts(noise=_text(noise)),
        )

    def no_commands(self, code: int | None, said: bytes) -> HostLoginError:
        """The login shell ended instead of starting the command."""
        return HostLoginError(
            f"the login shell ended with code {code} and started no command{_quoting(said)}",
            where=self._host,
            remedy="See that this user's shell there starts commands that come over SSH",
            metadata=self._facts(noise=_text(said)),
        )

    def no_room(self, sessions: int) -> HostError:
        """All sessions that may be had are in use, and none of them ends."""
        return HostError(
            f"all {sessions} sessions that its SSH server allows are in use",
            where=self._host,
            remedy="Raise MaxSessions in the sshd_config of that host, or use fewer slots there",
            metadata=self._facts(),
        )

    def no_session(self, error: Exception) -> HostError:
        """The server lets the user in and allows no command."""
        return HostError(
            f"the SSH server opens no session: {getattr(error, 'reason', error)}",
            where=self._host,
            remedy="See MaxSessions and ForceCommand in the sshd_config of that host",
            metadata=self._facts(),
        )

    def not_started(self, name: str, reason: str) -> AgiError:
        """The command cannot be started there."""
        kind = _MISSING.get(PurePosixPath(name).name.rstrip("0123456789."), RefusedError)
        return kind(f"{name} cannot be started: {reason}", where=self._host, metadata=self._facts())

    def _unresolved(self, at: Route, reason: str) -> HostUnresolvedError:
        return HostUnresolvedError(
            f"the name {at.host!r} leads to no address: {reason}",
            where=self._host,
            metadata=self._facts(name=at.host),
        )

    def _unreachable(self, at: Route, reason: str) -> HostError:
        ignored = f"; {', '.join(at.ignored)} of ~/.ssh/config is not honoured" * bool(at.ignored)
        return HostUnreachableError(
            f"no SSH connection to {at.place}: {reason}{ignored}",
            where=self._host,
            metadata=self._facts(place=at.place),
        )

    def _login_remedy(self, ring: Keyring, password: bool) -> str:
        if password:
            return "Give the password with which you log in there, and see that sshd takes any"
        if ring.locked:
            agent = "" if os.environ.get("SSH_AUTH_SOCK") else "`eval $(ssh-agent)`, "
            return (
                f"{agent}`ssh-add {ring.locked[0]}` and `agi daemon stop`: the next daemon knows "
                "the agent of the shell that starts it"
            )
        return f"`agi hosts authorize {self._host}` installs a key after one password login"

    def _facts(self, **facts: str) -> dict[str, str]:
        return {"host": self._host, **facts}


def _what_was_tried(ring: Keyring, tried: Sequence[str], password: bool) -> str:
    if password:
        return "with this password"
    words = [f"with {', '.join(tried)}" if tried else "as there is no key to try"]
    if ring.locked:
        words.append(f"no agent holds {', '.join(ring.locked)}, which has a passphrase")
    if ring.unusable:
        words.append(f"{', '.join(ring.unusable)} cannot be used")
    return "; ".join(words)


def _text(said: bytes) -> str:
    return " ".join(said.decode(errors="replace").split())[:300]


def _quoting(said: bytes) -> str:
    return f"; it said {_text(said)!r}" if said.strip() else ""
