"""The file of steps: read whole, edited whole or not at all, never over somebody else's change."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Self

from attrs import frozen

from agi_daemon.pipelines import lab_edit
from agi_daemon.pipelines.lab_steps import META, LabError, LabModule, modules, read_module
from agi_env.atomic_file import write_atomically
from agi_env.errors import (
    EtagMismatchError,
    PipelineInvalidError,
    PipelineNotFoundError,
    PipelineSyntaxError,
    RequestInvalidError,
    StateUnreadableError,
)
from agi_env.toml_lines import KeyPath
from agi_env.toml_text import TomlError, TomlText

NAMES = ("lab_steps.toml", "lab_stages.toml")
"""What the file is called, by its first name and by its later one."""
MOST_BYTES = 16 * 1024 * 1024
_NEW_MODE = 0o644
_NEW_TEXT = f'[{META}]\nschema = "agilab.lab_stages.v1"\nversion = 1\n'


@frozen(kw_only=True)
class LabFile:
    """A file of steps as it was read."""

    path: Path
    content: bytes
    document: TomlText
    exists: bool = True

    @classmethod
    def read(cls, path: Path, *, may_be_missing: bool = False) -> Self:
        """The file now.

        Args:
            path: Its absolute path.
            may_be_missing: A file that is not there is an empty one.

        Raises:
            PipelineNotFoundError: There is no such file.
            PipelineSyntaxError: It is not TOML; with its line.
            StateUnreadableError: It cannot be read, or is larger than 16 MiB.
        """
        content = _content(path)
        if content is None and not may_be_missing:
            raise PipelineNotFoundError("there is no such file", where=str(path))
        return cls.of(path, content or b"", exists=content is not None)

    @classmethod
    def of(cls, path: Path, content: bytes, *, exists: bool = True) -> Self:
        """A file that holds these bytes.

        Raises:
            PipelineSyntaxError: They are not TOML.
        """
        try:
            document = TomlText.parse(content)
        except TomlError as error:
            raise PipelineSyntaxError(
                f"this is not TOML: {error.reason}",
                where=f"{path}:{error.line}",
                metadata={"path": str(path), "line": str(error.line)},
            ) from error
        return cls(path=path, content=content, document=document, exists=exists)

    @property
    def etag(self) -> str:
        """Changes whenever a byte of the file changes."""
        return hashlib.sha256(self.content).hexdigest()

    def module(self, name: str = "", *, default: str = "") -> LabModule:
        """The steps under a key.

        Args:
            name: The key, with or without ``_project``; empty: the file's only one.
            default: The key in a file that has none yet; empty: such a file is refused.

        Raises:
            PipelineNotFoundError: There is no such list of steps.
            PipelineInvalidError: A step has a value that cannot be used; with its line.
            RequestInvalidError: No key is named, and the file has several.
        """
        key = self._key(name, default)
        if key not in self.document.data:
            return LabModule(name=key, steps=(), sequence=None, serial=True)
        try:
            return read_module(self.document.data, key)
        except LabError as problem:
            line = self.document.line_of(problem.key)
            raise PipelineInvalidError(
                problem.what,
                where=f"{self.path}:{line}",
                metadata={"path": str(self.path), "line": str(line), "key": _dotted(problem.key)},
            ) from problem

    def check(self, etag: str) -> None:
        """See that the file is the one that a caller has read; an empty etag is any.

        Raises:
            EtagMismatchError: It is not.
        """
        if etag and etag != self.etag:
            raise _changed(self.path)

    def edited(self, edit: lab_edit.Edit) -> LabFile:
        """The file as an edit leaves it, not written yet.

        Raises:
            RefusedError: The edit cannot be made without touching something else.
        """
        begun = self.document.text if self.exists else _NEW_TEXT
        text = lab_edit.edited(begun, edit, where=str(self.path))
        return LabFile.of(self.path, text.encode(), exists=self.exists)

    def replace(self, proposed: LabFile) -> None:
        """Write what an edit made of this file, unless nothing changed.

        Raises:
            EtagMismatchError: Somebody else changed the file meanwhile.
            StateUnwritableError, DiskFullError: It cannot be written.
        """
        if proposed.content == self.content and self.exists:
            return
        target = self.path.resolve()
        if (_content(target) or b"") != self.content:
            raise _changed(self.path)
        mode = target.stat().st_mode & 0o777 if target.exists() else _NEW_MODE
        write_atomically(target, proposed.content)
        target.chmod(mode)

    def _key(self, name: str, default: str) -> str:
        there = modules(self.document.data)
        if name:
            plain = name if name in self.document.data else name.removesuffix("_project")
            if plain in self.document.data or default:
                return plain
            raise PipelineNotFoundError(
                f"it has no steps of {plain}",
                where=str(self.path),
                remedy=f"It has {', '.join(there)}" if there else "",
            )
        if len(there) > 1:
            raise RequestInvalidError(
                f"it has the steps of {', '.join(there)}",
                where=str(self.path),
                remedy="Name one of them as the module",
            )
        if there or default:
            return there[0] if there else default
        raise PipelineNotFoundError("it has no steps", where=str(self.path))


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateUnreadableError(
            f"it cannot be read: {error.strerror}",
            where=str(path),
            remedy="Make this a file that you can read",
        ) from error
    if len(content) > MOST_BYTES:
        raise StateUnreadableError(
            f"it has more than {MOST_BYTES} bytes", where=str(path), remedy="Name a file of steps"
        )
    return content


def _changed(path: Path) -> EtagMismatchError:
    return EtagMismatchError("somebody else changed the file meanwhile", where=str(path))


def _dotted(key: KeyPath) -> str:
    return ".".join(map(str, key))
