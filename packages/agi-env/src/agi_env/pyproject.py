"""What an app declares in its ``pyproject.toml``: dependencies and the Python it accepts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agi_env.errors import AppInvalidError
from agi_env.toml_text import TomlError, TomlText


@dataclass(frozen=True, slots=True)
class Pyproject:
    """The part of a ``pyproject.toml`` that an install looks at."""

    dependencies: tuple[str, ...]
    """``project.dependencies``, as written; none when the key is absent."""
    requires_python: str
    """``project.requires-python``; empty when the key is absent: any Python will do."""


def read_pyproject(path: Path) -> Pyproject:
    """Read the declarations of a ``pyproject.toml``.

    Raises:
        AppInvalidError: It cannot be read, is not TOML, or declares something of a wrong type.
    """
    content = _read(path)
    project = content.data.get("project", {})
    if not isinstance(project, dict):
        raise _wrong(path, content, ("project",), "a table")
    dependencies = project.get("dependencies", [])
    if not isinstance(dependencies, list) or not all(isinstance(d, str) for d in dependencies):
        raise _wrong(path, content, ("project", "dependencies"), "a list of texts")
    requires = project.get("requires-python", "")
    if not isinstance(requires, str):
        raise _wrong(path, content, ("project", "requires-python"), "a text")
    return Pyproject(tuple(dependencies), requires)


def _read(path: Path) -> TomlText:
    try:
        return TomlText.parse(path.read_bytes())
    except OSError as error:
        raise AppInvalidError(
            f"the file cannot be read: {error.strerror}", where=str(path)
        ) from error
    except TomlError as error:
        raise AppInvalidError(
            f"this is not TOML: {error.reason}",
            where=f"{path}:{error.line}",
            remedy="Mend the file at this line",
        ) from error


def _wrong(path: Path, content: TomlText, key: tuple[str, ...], expected: str) -> AppInvalidError:
    return AppInvalidError(
        f"{'.'.join(key)} must be {expected}",
        where=f"{path}:{content.line_of(key)}",
        remedy="Correct it in this file",
    )
