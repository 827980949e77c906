"""Letting our key in after one password login: a real server, a real password, a user made up."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from agi_daemon.log import open_log
from agi_daemon.transport.ssh_authorize import authorize, own_key
from agi_env.errors import HostKeyChangedError, HostLoginError, InvalidInputError

PASSWORD = "correct horse battery"
UID = 54321
CONFIG = """\
PasswordAuthentication yes
AuthorizedKeysFile .ssh/authorized_keys
"""
"""The first of two values counts, so what is added must come first: see ``Town``."""


@pytest.fixture
def town(new_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server in a mount namespace of its own, where a user ``ann`` exists who has a password."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("making a user who has a password needs root and unshare")
    folder = tmp_path_factory.mktemp("town")
    folder.chmod(0o755)
    home = folder / "ann"
    home.mkdir(mode=0o755)
    os.chown(home, UID, UID)
    for parent in folder.parents:
        if parent != Path("/tmp") and parent.is_relative_to("/tmp"):
            parent.chmod(0o755)
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, text=True, capture_output=True,
        check=True,
    ).stdout.strip()  # fmt: skip
    for name, line in {
        "passwd": f"ann:x:{UID}:{UID}::{home}:/bin/bash\n",
        "shadow": f"ann:{hashed}:19000:0:99999:7:::\n",
    }.items():
        (folder / name).write_text(Path(f"/etc/{name}").read_text() + line)
        (folder / name).chmod(0o644 if name == "passwd" else 0o600)
    with new_server() as server:
        server.__exit__()
        config = server.folder / "sshd_config"
        kept = [line for line in config.read_text().splitlines() if "SetEnv" not in line]
        config.write_text(CONFIG + "\n".join(kept) + "\n")
        binds = " && ".join(f"mount --bind {folder}/{n} /etc/{n}" for n in ("passwd", "shadow"))
        plain = server._command
        server._command = [
            "unshare", "--mount", "--propagation", "private",
            "sh", "-c", f'{binds} && exec "$@"', "sh", *plain,
        ]  # fmt: skip
        server.__enter__()
        server.home = home
        yield server


@pytest.fixture
def ann(town: Any) -> Any:
    return evolve(town.login, user="ann", identity_file="")


def test_our_own_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "ssh" / "id_ed25519"
    line = own_key(path)
    assert line == own_key(path)
    assert line.startswith("ssh-ed25519 AAAA") and line.endswith(" agi")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    listed = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, check=True)
    assert listed.stdout.decode().split()[:2] == line.split()[:2]


async def test_a_key_is_let_in_once(
    town: Any, ann: Any, settings: Any, reach: Any, tmp_path: Path
) -> None:
    ours = tmp_path / "ssh" / "id_ed25519"
    line = own_key(ours)
    with open_log(tmp_path / "daemon.log", level="debug"):
        await authorize(ann, town.host_key, PASSWORD, line, settings)
        await authorize(ann, town.host_key, PASSWORD, line, settings)
    file = town.home / ".ssh" / "authorized_keys"
    assert file.read_text() == f"{line}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.stat().st_uid == UID
    assert "ssh_key_authorized" in (tmp_path / "daemon.log").read_text()
    assert PASSWORD not in (tmp_path / "daemon.log").read_text() + town.log
    host = reach(town, login={"user": "ann", "identity_file": ""}, own_key=ours)
    assert (await host.run(["id", "-un"], deadline_s=20)).stdout == b"ann\n"


async def test_keys_that_are_there_stay(town: Any, ann: Any, settings: Any, tmp_path: Path) -> None:
    file = town.home / ".ssh" / "authorized_keys"
    file.parent.mkdir()
    file.write_text("ssh-ed25519 AAAAother somebody")
    for path in (file.parent, file):
        os.chown(path, UID, UID)
        path.chmod(0o777)
    line = own_key(tmp_path / "key")
    await authorize(ann, town.host_key, PASSWORD, line, settings)
    assert file.read_text() == f"ssh-ed25519 AAAAother somebody\n{line}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_wrong_password(town: Any, ann: Any, settings: Any, tmp_path: Path) -> None:
    line = own_key(tmp_path / "key")
    with pytest.raises(HostLoginError, match="ann may not log in with this password") as caught:
        await authorize(ann, town.host_key, "wrong one", line, settings)
    assert "wrong one" not in str(caught.value) and "wrong one" not in repr(caught.value.metadata)
    with pytest.raises(InvalidInputError):
        await authorize(ann, town.host_key, "", line, settings)


async def test_a_password_goes_only_to_the_accepted_host(
    town: Any, ann: Any, settings: Any, tmp_path: Path
) -> None:
    pinned = evolve(town.host_key, public=own_public(tmp_path))
    with pytest.raises(HostKeyChangedError):
        await authorize(ann, pinned, PASSWORD, own_key(tmp_path / "key"), settings)
    assert "password" not in town.log.lower().replace("passwordauthentication", "")


async def test_a_user_who_is_not_root_is_signalled_by_the_server(
    town: Any, ann: Any, settings: Any, reach: Any, tmp_path: Path, assert_gone: Any
) -> None:
    """Also where the login shell hangs, whose process nobody could have told us."""
    ours = tmp_path / "key"
    await authorize(ann, town.host_key, PASSWORD, own_key(ours), settings)
    (town.home / ".bashrc").write_text("echo $$; trap '' TERM HUP; sleep 600\n")
    host = reach(town, login={"user": "ann", "identity_file": ""}, own_key=ours, shell_s=1.0)
    from agi_env.errors import LoginShellHangsError

    with pytest.raises(LoginShellHangsError) as caught:
        await host.run(["true"], deadline_s=20)
    await asyncio.to_thread(assert_gone, int(caught.value.metadata["noise"]))


def own_public(folder: Path) -> bytes:
    from agi_daemon.transport.host_key import HostKey

    return HostKey.from_line(own_key(folder / "another")).public
