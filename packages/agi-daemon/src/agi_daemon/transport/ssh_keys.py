"""The keys with which a login is tried: those that were named, the daemon's own, the agent's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
from attrs import field, frozen

from agi_daemon.transport.ssh_config import Route
from agi_daemon.transport.ssh_settings import SshSettings

_DEFAULTS = ("id_ed25519", "id_ecdsa", "id_rsa")


@frozen
class KeyOffer:
    """A key that may open the door.

    Attributes:
        name: What people call it: its file, or what the agent calls it.
        pair: What signs.
    """

    name: str
    pair: asyncssh.SSHKeyPair = field(repr=False)


@frozen
class Keyring:
    """All keys that may be tried.

    Attributes:
        offers: In the order in which they are offered.
        locked: Files with a passphrase whose keys no agent holds.
        unusable: Files that were named and are no keys, with the reason.
    """

    offers: tuple[KeyOffer, ...] = ()
    locked: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()


@asynccontextmanager
async def keyring(route: Route, ssh: SshSettings) -> AsyncIterator[Keyring]:
    """The keys for a login; those of the agent can sign while the context lasts."""
    agent = asyncssh.SSHAgentClient(route.agent) if route.agent else None
    try:
        held = await _held_by(agent) if agent else []
        yield await asyncio.to_thread(_collect, route, ssh, held)
    finally:
        if agent:
            agent.close()
            await agent.wait_closed()


async def _held_by(agent: asyncssh.SSHAgentClient) -> Sequence[asyncssh.SSHKeyPair]:
    try:
        return await agent.get_keys()
    except ValueError:  # asyncssh's word for an agent that is gone or locked: it holds nothing
        return []


def _collect(route: Route, ssh: SshSettings, held: Sequence[asyncssh.SSHKeyPair]) -> Keyring:
    by_public = {pair.public_data: pair for pair in held}
    offers: dict[bytes, KeyOffer] = {}
    locked: list[str] = []
    unusable: list[str] = []
    for path in _files(route, ssh):
        name = _short(path)
        try:
            pairs = _pairs(path, by_public)
        except asyncssh.KeyEncryptionError:
            locked.append(name)
        except (OSError, ValueError) as error:
            if path in route.identity_files:
                unusable.append(f"{name} ({getattr(error, 'strerror', None) or error})")
        else:
            offers.update({pair.public_data: KeyOffer(name, pair) for pair in reversed(pairs)})
    if not route.identities_only:
        for pair in held:
            named = KeyOffer(f"the agent's {pair.get_comment() or 'key'}", pair)
            offers.setdefault(pair.public_data, named)
    return Keyring(tuple(offers.values()), tuple(locked), tuple(unusable))


def _files(route: Route, ssh: SshSettings) -> Iterator[Path]:
    yield from route.identity_files
    if ssh.own_key is not None and ssh.own_key.is_file():
        yield ssh.own_key
    if not route.identity_files:
        yield from (path for path in _default_files(ssh) if path.is_file())


def _default_files(ssh: SshSettings) -> Iterator[Path]:
    folder = ssh.config.expanduser().parent
    yield from (folder / name for name in _DEFAULTS)


def _pairs(path: Path, held: dict[bytes, asyncssh.SSHKeyPair]) -> list[asyncssh.SSHKeyPair]:
    """The pairs of a file, with its certificate where there is one; a locked one the agent's.

    Raises:
        KeyEncryptionError: It has a passphrase, and the agent does not hold it.
    """
    in_agent = held.get(_public_of(path))
    if in_agent is not None:
        return [in_agent]
    try:
        return list(asyncssh.load_keypairs(str(path)))
    except asyncssh.KeyImportError as error:
        if "assphrase" in str(error):
            raise asyncssh.KeyEncryptionError(str(error)) from error
        raise


def _public_of(path: Path) -> bytes:
    """What is in the public half beside a private key, or in a public key that was named itself."""
    beside = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    try:
        return asyncssh.read_public_key(str(beside)).public_data
    except (OSError, ValueError):
        return b""


def _short(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
