"""A host that somebody else commands answers what it likes: it gets and writes nothing of ours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from agi_daemon.install.host_agent import BuildOrder, CompileOrder, HostAgent
from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.release import Release
from agi_daemon.install.wheel_store import Wheel, WheelStore
from agi_daemon.transport.host_transport import Completed
from agi_daemon.transport.local import LocalTransport
from agi_env.errors import BuildFailedError

PLATFORM = {"tag": "cp311-linux_x86_64-glibc2.36", "python": "3.11.2", "markers": {}, "cuda": ""}
SECRET = b"the manager's private key"
FOREIGN = b"ssh-ed25519 AAAA of somebody else\n"
DIGEST = hashlib.sha256(FOREIGN).hexdigest()


class LyingHost(LocalTransport):
    """Answers what it is told to, and keeps what it is sent."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.answer: Any = None
        self.got = b""

    async def run(self, *_argv: Any, stdin: Any = b"", **_options: Any) -> Completed:
        self.got += stdin if isinstance(stdin, bytes) else await joined(stdin)
        return Completed(0, json.dumps(self.answer).encode() + b"\n", b"")

    async def read_file(self, *_path: Any, **_options: Any) -> bytes:
        return FOREIGN


async def joined(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


class Manager:
    """The state of a manager, with a secret beside its wheels."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = WheelStore(folder / "state" / "wheels")
        self.offered = self.store.put("tiny-1-py3-none-any.whl", b"offered")
        self.other = self.store.put("private-1-py3-none-any.whl", b"of another app")
        self.secret = folder / "id_ed25519"
        self.secret.write_bytes(SECRET)
        self.host = LyingHost(folder / "host")
        self.agent = HostAgent(self.host)
        self.order = BuildOrder(
            Release({}), HostPlatform.from_json(PLATFORM), (self.offered,), verify=()
        )

    def files(self) -> set[Path]:
        return {path for path in self.folder.rglob("*") if path.is_file()}

    def looked(self, *missing: Any, **platform: str) -> dict[str, Any]:
        facts = {"platform": {**PLATFORM, **platform}, "cores": 1, "memory_bytes": 1}
        facts |= {"uv_version": "1", "root": "/r"}
        wanted = {"built": False, "path": "/r/builds/x", "drift": "", "missing": list(missing)}
        return {"facts": facts, **wanted}


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(tmp_path)


async def test_what_is_offered_can_be_asked_for(manager: Manager) -> None:
    manager.host.answer = manager.looked(manager.offered.to_json())
    check = await manager.agent.check([manager.order])
    assert check.missing == (manager.offered,)
    manager.host.answer = {"path": "/r/builds/x"}
    await manager.agent.realise(manager.order, check.missing, manager.store, lambda *_: None)
    assert manager.host.got.endswith(b"offered")


@pytest.mark.parametrize(
    "name", ["{secret}", "../../../id_ed25519", "..", ".", "a/b.whl", "x.whl\n"]
)
async def test_no_other_file_can_be_asked_for(manager: Manager, name: str) -> None:
    filename = name.format(secret=manager.secret)
    manager.host.answer = manager.looked(["0" * 64, filename, len(SECRET)])
    with pytest.raises(BuildFailedError):
        await manager.agent.check([manager.order])


@pytest.mark.parametrize(
    "digest", ["..", "../..", "/", "", "0" * 63, "A" * 64, 7, None, ["0" * 64]]
)
async def test_no_other_folder_can_be_asked_for(manager: Manager, digest: Any) -> None:
    manager.host.answer = manager.looked([digest, "tiny-1-py3-none-any.whl", 1])
    with pytest.raises(BuildFailedError):
        await manager.agent.check([manager.order])


async def test_no_wheel_of_another_app_can_be_asked_for(manager: Manager) -> None:
    manager.host.answer = manager.looked(manager.other.to_json())
    with pytest.raises(BuildFailedError, match="not offered"):
        await manager.agent.check([manager.order])


@pytest.mark.parametrize(
    "filename",
    [
        "../../../../.ssh/authorized_keys",
        "{folder}/authorized_keys",
        "../authorized_keys.whl",
        "other-1-cp311-cp311-linux_x86_64.whl",
        "tiny-2-cp311-cp311-linux_x86_64.whl",
    ],
)
async def test_what_a_host_compiled_is_stored_as_that_and_nowhere_else(
    manager: Manager, filename: str
) -> None:
    before = manager.files()
    name = filename.format(folder=manager.folder)
    manager.host.answer = {"wheel": [DIGEST, name, len(FOREIGN)]}
    with pytest.raises(BuildFailedError):
        await compiled(manager)
    assert manager.files() == before


async def test_what_a_host_compiled_is_stored(manager: Manager) -> None:
    name = "tiny-1-cp311-cp311-linux_x86_64.whl"
    manager.host.answer = {"wheel": [DIGEST, name, len(FOREIGN)]}
    wheel = await compiled(manager)
    assert wheel == Wheel(name, DIGEST, len(FOREIGN))
    assert manager.store.holds(wheel)


@pytest.mark.parametrize("tag", ["../../settings/x", "/etc/x", "", "-x", "a\nb"])
async def test_a_platform_has_a_name_that_is_none_of_a_path(manager: Manager, tag: str) -> None:
    manager.host.answer = manager.looked(tag=tag, python="" if not tag else "3.11.2")
    with pytest.raises(BuildFailedError, match="cannot be used"):
        await manager.agent.check([manager.order])


@pytest.mark.parametrize("answer", [None, [], 3, "text", {}, {"facts": 3}, {"facts": {}}])
async def test_an_answer_that_is_none_is_said_so(manager: Manager, answer: Any) -> None:
    manager.host.answer = answer
    with pytest.raises(BuildFailedError):
        await manager.agent.check([manager.order])


async def compiled(manager: Manager) -> Wheel:
    order = CompileOrder(manager.offered, "tiny", (), 1.0)
    python = PurePosixPath("/r/bin/python")
    return await manager.agent.compile(order, python, manager.store, lambda *_: None)
