"""Renaming a directory so that nothing that is there is ever replaced."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})
_UNKNOWN = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


def rename_directory(source: Path, target: Path) -> None:
    """Rename a directory that is not empty; on the same file system, in one step.

    Where the file system cannot refuse by itself, as NFS, plain ``rename`` is used, which for a
    directory replaces at most an empty one.

    Raises:
        FileExistsError: Something is there already. Nothing was changed.
        OSError: Any other refusal of the system. Nothing was changed.
    """
    try:
        _rename_no_replace(source, target)
    except OSError as error:
        if error.errno in _UNKNOWN:
            _rename_refusing(source, target)
        elif error.errno in _TAKEN:
            raise _exists(target) from None
        else:
            raise


def _rename_no_replace(source: Path, target: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    old, new = (ctypes.c_char_p(os.fsencode(path)) for path in (source, target))
    at = ctypes.c_int(_AT_FDCWD)
    if libc.renameat2(at, old, at, new, ctypes.c_uint(_RENAME_NOREPLACE)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(source))


def _rename_refusing(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        if error.errno in _TAKEN:
            raise _exists(target) from None
        raise


def _exists(target: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
