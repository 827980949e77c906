"""What one machine sees at the place of the share, and what is wrong with that: pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from attrs import field, frozen

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

_REFUSED = {"EROFS", "EACCES", "EPERM"}
_FULL = {"ENOSPC", "EDQUOT"}
_NOT_THERE = {"ENOENT", "ENOTDIR", "NO_FOLDER", "EACCES", "EPERM", "ELOOP"}
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
    read_back: str | None = field(default=None)

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
    if view.fault == "HANGS":
        return _wrong(ShareStaleError, view, "does not answer")
    if view.writing:
        return _unwritable(view)
    if view.fault in _NOT_THERE:
        reason = view.words.lower() if view.words else "there is no folder"
        return _wrong(ShareMissingError, view, f"is not there: {reason}")
    if view.fault not in ("", "NO_SENTINEL"):
        return _wrong(ShareStaleError, view, f"cannot be read: {view.words.lower()}")
    if view.sentinel != token:
        return _elsewhere(view)
    if view.read_back is not None and view.read_back != token:
        return _wrong(
            ShareDifferentError,
            view,
            "takes files that the manager does not see, as a cache or an overlay does",
        )
    return None


def judged_here(view: ShareView, local_share: Path) -> AgiError | None:
    """What is wrong with the manager's own share, before any host is asked."""
    own = Path(view.share)
    for path in {own, Path(view.path or own)}:
        if path.is_relative_to(local_share) or local_share.is_relative_to(path):
            return _wrong(ShareLocalError, view, f"is where the local share is, {local_share}")
    if view.fault in _REFUSED | _FULL and view.path:
        return _unwritable(view)
    return judged(view, view.sentinel or "") if view.fault else None


def _unwritable(view: ShareView) -> AgiError:
    if view.fault in _FULL:
        where = f"{view.host}:{view.share}"
        return DiskFullError("no space is left on the share", where=where, metadata=_facts(view))
    if view.fault in _REFUSED:
        words = view.words.lower()
        return _wrong(ShareReadOnlyError, view, f"cannot be written by user {view.user}: {words}")
    return _wrong(ShareStaleError, view, f"cannot be written: {view.words.lower()}")


def _elsewhere(view: ShareView) -> AgiError:
    if view.mount.own_disk and view.mount.point != view.path:
        return _wrong(ShareLocalError, view, "is a folder on a disk of its own: nothing is mounted")
    return _wrong(ShareDifferentError, view, "has not what the manager wrote: it is another folder")


def _wrong(kind: type[ShareError], view: ShareView, what: str) -> ShareError:
    return kind(
        f"the share {view.share} {what} ({view.evidence})",
        where=view.host,
        remedy=kind.advice.replace("HOST", view.host).replace("SHARE", view.share),
        metadata=_facts(view),
    )


def _facts(view: ShareView) -> dict[str, str]:
    return {"host": view.host, "share": view.share, "mount": str(view.mount)}
