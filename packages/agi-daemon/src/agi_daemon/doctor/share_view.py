"""What one machine sees at the place of the share, and what is wrong with that: pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from agi_cluster.model.selection import THIS_MACHINE
from agi_env.errors import (
    AgiError,
    DiskFullError,
    ShareDifferentError,
    ShareError,
    ShareLocalError,
    ShareMissingError,
    ShareReadOnlyError,
    ShareStaleError,
)

_FULL = {"ENOSPC", "EDQUOT"}
_STALE = {"HANGS", "ESTALE", "ENOTCONN", "EIO", "ETIMEDOUT", "EHOSTDOWN", "ECONNABORTED"}
_FROM_ELSEWHERE = ("nfs", "cifs", "smb", "fuse", "ceph", "lustre", "9p", "virtiofs", "afs", "gpfs")
"""How the names of file systems begin that are not a disk of the machine itself."""


@frozen
class Mount:
    """A line of the mount table: what is mounted where."""

    point: str = ""
    root: str = ""
    type: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.type} from {self.source} at {self.point}" if self.type else "no mount"

    @property
    def own_disk(self) -> bool:
        """It is, by its type, a disk of the machine itself."""
        return not self.type.startswith(_FROM_ELSEWHERE)


@frozen(kw_only=True)
class ShareView:
    """What one machine sees at the place of the share.

    Attributes:
        host: The machine.
        share: The place, which is the same on all.
        path: Where it really is there, symbolic links followed.
        mount: What is mounted there.
        device: The number of its device there (``st_dev``).
        user: The user whom the machine takes us for.
        sentinel: What it read of the manager's file; None: there is no such file.
        fault: The name of the error that it met, such as ``EROFS`` or ``HANGS``; empty for none.
        words: That error in words.
        writing: It met the error when it wrote.
        read_back: What the manager read of its file; None where nobody has looked.
    """

    host: str
    share: str
    path: str = ""
    mount: Mount = Mount()
    device: int = 0
    user: int = -1
    sentinel: str | None = None
    fault: str = ""
    words: str = ""
    writing: bool = False
    read_back: str | None = None

    @classmethod
    def from_json(cls, host: str, share: Path, answer: Mapping[str, Any]) -> Self:
        """What a machine answered."""
        known = ("path", "device", "user", "sentinel", "fault", "words", "writing")
        facts = {name: answer[name] for name in known if name in answer}
        return cls(host=host, share=str(share), mount=Mount(**answer["mount"]), **facts)

    @property
    def evidence(self) -> str:
        """What it is, in words."""
        elsewhere = f", really {self.path}" if self.path not in ("", self.share) else ""
        number = f", device {self.device}" if self.device else ""
        return f"{self.mount}{elsewhere}{number}"


def judged(view: ShareView, token: str) -> AgiError | None:
    """What is wrong with what a machine sees; None when it is the manager's share, and writable.

    Args:
        view: What it sees.
        token: What the manager wrote into the sentinel, and the host into its own file.
    """
    if view.writing:
        return _unwritable(view)
    if view.fault not in ("", "NO_SENTINEL"):
        return _unseen(view)
    if view.sentinel != token:
        return _elsewhere(view)
    if view.read_back is not None and view.read_back != token:
        what = "takes files that the manager does not see, as a cache or an overlay does"
        return _wrong(ShareDifferentError, view, what)
    return None


def judged_here(view: ShareView, local_share: Path) -> AgiError | None:
    """What is wrong with the manager's own share, before any host is asked."""
    for path in {Path(view.share), Path(view.path or view.share)}:
        if path.is_relative_to(local_share):
            return ShareLocalError(
                f"the share {view.share} is the local share {local_share}, or in it",
                where=view.host,
                remedy="Set AGI_CLUSTER_SHARE to the folder that is mounted on every machine",
                metadata=_facts(view),
            )
    return judged(view, "") if view.fault else None


def _unseen(view: ShareView) -> AgiError:
    if view.fault in _STALE:
        return _wrong(ShareStaleError, view, f"does not answer{_reason(view)}")
    return _wrong(ShareMissingError, view, f"is not there{_reason(view)}")


def _unwritable(view: ShareView) -> AgiError:
    if view.fault in _FULL:
        where = f"{view.host}:{view.share}"
        return DiskFullError("no space is left on the share", where=where, metadata=_facts(view))
    kind = ShareStaleError if view.fault in _STALE else ShareReadOnlyError
    return _wrong(kind, view, f"cannot be written by user {view.user}{_reason(view)}")


def _reason(view: ShareView) -> str:
    return f": {view.words.lower()}" if view.words else ""


def _elsewhere(view: ShareView) -> AgiError:
    if view.mount.own_disk and view.mount.point != view.path:
        return _wrong(ShareLocalError, view, "is a folder on a disk of its own: nothing is mounted")
    return _wrong(ShareDifferentError, view, "has not what the manager wrote: it is another folder")


def _wrong(kind: type[ShareError], view: ShareView, what: str) -> ShareError:
    return kind(
        f"the share {view.share} {what} ({view.evidence})",
        where=view.host,
        remedy=_remedy(kind, view),
        metadata=_facts(view),
    )


def _remedy(kind: type[ShareError], view: ShareView) -> str:
    advice = kind.advice.replace("SHARE", view.share)
    if view.host == THIS_MACHINE:
        advice = advice.replace("ssh HOST ", "").replace("HOST", "this machine")
    return advice.replace("HOST", view.host)


def _facts(view: ShareView) -> dict[str, str]:
    return {"host": view.host, "share": view.share, "mount": str(view.mount)}
