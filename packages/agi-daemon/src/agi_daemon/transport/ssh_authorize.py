"""Letting the daemon's own key in: it is made once, and installed after one password login."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from agi_daemon.log import get_log
from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.host_transport import Completed
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh_library import load_asyncssh
from agi_daemon.transport.ssh_settings import SshSettings
from agi_env.atomic_file import write_atomically
from agi_env.errors import HostLoginError, InvalidInputError
from agi_env.paths import private_directory

_COMMENT = "agi"
_INSTALL_S = 20.0

_INSTALL = """
umask 077
IFS= read -r key && mkdir -p ~/.ssh && touch ~/.ssh/authorized_keys || exit
cd ~/.ssh || exit
rest=${key#* }
grep -qF "${rest%% *}" authorized_keys || {
    [ -z "$(tail -c 1 authorized_keys)" ] || echo >>authorized_keys
    printf "%s\\n" "$key" >>authorized_keys
} || exit
chmod 700 . && chmod 600 authorized_keys || exit
if command -v restorecon >/dev/null; then restorecon -R . || :; fi
"""
"""Appends, never rewrites, so that whatever happens the user's own keys stay. sshd refuses a file
that others can write, hence the modes; SELinux one with the wrong label."""

_log = get_log(__name__)


def own_key(path: Path) -> str:
    """The public line of the daemon's own key, which is made at ``path`` (0600) at first.

    Raises:
        StateUnwritableError: It cannot be written.
        DiskFullError: There is no room.
    """
    if not path.exists():
        private_directory(path.parent)
        made = Ed25519PrivateKey.generate()
        write_atomically(
            path, made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        )
    public = load_ssh_private_key(path.read_bytes(), None).public_key()
    return f"{public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {_COMMENT}"


async def authorize(
    login: Login, pinned: HostKey, password: str, public_line: str, ssh: SshSettings
) -> None:
    """Append a public key to the login's ``authorized_keys``, after one login with its password.

    A key that is there already is not added again.

    Raises:
        HostLoginError: The password is refused, or the key cannot be installed.
        HostError: The host cannot be reached, or is another one than was accepted.
    """
    if not password:
        raise InvalidInputError("an empty password opens nothing", where=login.address)
    HostKey.from_line(public_line)
    done = await _run_once(login, pinned, password, f"{public_line}\n".encode(), ssh)
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise HostLoginError(
            f"the key cannot be installed: {said or f'code {done.returncode}'}",
            where=login.address,
            remedy="See that the home directory there exists and has room",
            metadata={"host": login.address},
        )
    _log.info("ssh_key_authorized", host=login.address)


async def _run_once(
    login: Login, pinned: HostKey, password: str, key: bytes, ssh: SshSettings
) -> Completed:
    await load_asyncssh()
    from agi_daemon.transport.ssh_dial import Dialling  # noqa: PLC0415 - loads asyncssh
    from agi_daemon.transport.ssh_pool import SshPool  # noqa: PLC0415 - loads asyncssh
    from agi_daemon.transport.ssh_run import SshRun  # noqa: PLC0415 - loads asyncssh

    pool = SshPool(login.address, ssh, lambda: Dialling(login, ssh).log_in(pinned, password))
    order = SshRun(
        host=login.address, argv=["sh", "-c", _INSTALL], stdin=key, deadline_s=_INSTALL_S
    )
    try:
        return await order.over(pool)
    finally:
        await pool.aclose()
