"""The proof that machines see one share: judged by values, and made on real folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from agi_daemon.doctor.on_host.patience import within
from agi_daemon.doctor.on_host.share import mount_of
from agi_daemon.doctor.share import check_share, sentinel_on
from agi_daemon.doctor.share_view import Mount, ShareView, judged, judged_here
from agi_daemon.transport.local import LocalTransport
from agi_env.errors import ShareError, ShareLocalError, ShareMissingError

NFS = Mount(point="/share", root="/", type="nfs4", source="files:/export")
DISK = Mount(point="/", root="/", type="ext4", source="/dev/sda1")
GOOD = ShareView(
    host="h1", share="/share", path="/share", mount=NFS, device=5, sentinel="t", read_back="t"
)


def test_the_same_writable_share_is_fine() -> None:
    assert judged(GOOD, "t") is None
    assert GOOD.evidence == "nfs4 from files:/export at /share, device 5"


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"fault": "HANGS", "sentinel": None}, "SHARE_STALE"),
        ({"fault": "ENOTCONN", "words": "Transport endpoint is not connected"}, "SHARE_STALE"),
        ({"fault": "ESTALE", "words": "Stale file handle", "writing": True}, "SHARE_STALE"),
        ({"fault": "ENOENT", "words": "No such file or directory"}, "SHARE_MISSING"),
        ({"fault": "ENOTDIR", "words": "Not a directory"}, "SHARE_MISSING"),
        ({"fault": "EROFS", "words": "Read-only file system", "writing": True}, "SHARE_READ_ONLY"),
        ({"fault": "EACCES", "words": "Permission denied", "writing": True}, "SHARE_READ_ONLY"),
        ({"fault": "ENOSPC", "words": "No space left", "writing": True}, "DISK_FULL"),
        ({"fault": "NO_SENTINEL", "sentinel": None}, "SHARE_DIFFERENT"),
        ({"fault": "NO_SENTINEL", "sentinel": None, "mount": DISK}, "SHARE_LOCAL"),
        (
            {"fault": "NO_SENTINEL", "sentinel": None, "mount": evolve(DISK, point="/share")},
            "SHARE_DIFFERENT",
        ),
        ({"sentinel": "other"}, "SHARE_DIFFERENT"),
        ({"read_back": ""}, "SHARE_DIFFERENT"),
    ],
)
def test_each_fault_has_its_code(facts: dict[str, Any], code: str) -> None:
    error = judged(evolve(GOOD, **facts), "t")
    assert error is not None and error.code == code
    assert error.where.startswith("h1") and error.metadata["host"] == "h1"
    assert "HOST" not in error.remedy and "SHARE" not in error.remedy


def test_the_local_share_is_refused_on_the_manager() -> None:
    for local in ("/share", "/"):
        assert isinstance(judged_here(GOOD, Path(local)), ShareLocalError)
    assert judged_here(GOOD, Path("/share/local")) is None
    linked = evolve(GOOD, path="/home/me/agi_share")
    assert isinstance(judged_here(linked, Path("/home/me/agi_share")), ShareLocalError)


def test_remedies_name_the_manager_as_this_machine() -> None:
    error = judged(evolve(GOOD, host="127.0.0.1", fault="HANGS"), "t")
    assert error is not None and "ssh" not in error.remedy and "this machine" in error.remedy


def hosts(folder: Path) -> list[LocalTransport]:
    return [LocalTransport(folder / name, host=name) for name in ("h1", "h2")]


async def test_hosts_that_see_the_share_leave_nothing_on_it(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    first, second = await check_share(share, hosts(tmp_path), local_share=tmp_path / "local")
    assert (first.host, first.error, second.host, second.error) == ("h1", None, "h2", None)
    assert "device" in first.evidence
    assert not any(share.iterdir())


async def test_a_share_that_is_not_there_is_the_managers_error(tmp_path: Path) -> None:
    with pytest.raises(ShareMissingError, match="no such file"):
        await check_share(tmp_path / "none", [], local_share=tmp_path / "local")
    (tmp_path / "file").touch()
    with pytest.raises(ShareMissingError, match="not a directory"):
        await check_share(tmp_path / "file", [], local_share=tmp_path / "local")


async def test_a_share_that_cannot_be_written_is_the_managers_error() -> None:
    with pytest.raises(ShareError, match="cannot be written"):
        await check_share(Path("/proc"), [], local_share=Path("/nowhere"))


async def test_a_host_that_finds_no_sentinel_has_another_folder(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    local = tmp_path / "local"
    async with sentinel_on(share, local_share=local) as sentinel:
        [folder] = share.iterdir()
        away = tmp_path / "away"
        folder.rename(away)
        check = await sentinel.check(hosts(tmp_path)[0])
        away.rename(folder)
    assert check.error is not None and check.error.code in ("SHARE_LOCAL", "SHARE_DIFFERENT")
    assert not any(share.iterdir())


def test_a_file_system_that_hangs_is_given_up(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert within(0.05, pipe.read_text) is None
    assert within(10, lambda: {"a": 1}) == {"a": 1}


def test_the_mount_of_a_path_is_the_innermost() -> None:
    assert mount_of("/proc/self")["type"] == "proc"
    assert mount_of("/no/such/place")["point"] == "/"
