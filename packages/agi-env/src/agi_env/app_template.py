"""A new app: a complete small one that runs as it is, to be changed into one's own."""

from __future__ import annotations

import keyword
import os
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path
from string import Template

from agi_env.app import App, class_name, full_name
from agi_env.atomic_file import disk_errors
from agi_env.errors import (
    AlreadyExistsError,
    AppNotFoundError,
    RequestInvalidError,
    StateUnwritableError,
)
from agi_env.paths import absolute

_FILES = {
    "README.md.tmpl": "README.md",
    "pyproject.toml.tmpl": "pyproject.toml",
    "app_settings.toml.tmpl": "src/app_settings.toml",
    "manager.py.tmpl": "src/$target/$target.py",
    "worker.py.tmpl": "src/${target}_worker/${target}_worker.py",
}
_RESERVED = sys.stdlib_module_names | {"agi_env", "agi_cluster", "agi_daemon", "agi_cli"}


def create(name: str, where: str | os.PathLike[str]) -> App:
    """Make a new app; its folder appears whole or not at all.

    Args:
        name: ``weather_project``, in short ``weather``.
        where: The folder in which the app's folder is made; it has to exist.

    Raises:
        RequestInvalidError: No app can have this name, or there is no such folder.
        AlreadyExistsError: Something of this name is there.
        StateUnwritableError: The folder cannot be written.
        DiskFullError: There is no room.
    """
    root = place_for(name, where)
    with disk_errors(root):
        _make(root, root.name.removesuffix("_project"))
    return App.at(root)


def place_for(name: str, where: str | os.PathLike[str]) -> Path:
    """The folder that `create` would make, if it can: makes nothing.

    Raises:
        AgiError: As of `create`, but that the disk is full.
    """
    parent = absolute(where)
    root = parent / new_name(name)
    if not parent.is_dir():
        raise RequestInvalidError(
            "there is no such folder", where=str(parent), remedy="Make it, or name another one"
        )
    if os.path.lexists(root):
        raise AlreadyExistsError("something of this name is there", where=str(root))
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StateUnwritableError("the folder cannot be written", where=str(parent))
    return root


def new_name(name: str) -> str:
    """The full name for a new app.

    Raises:
        RequestInvalidError: It breaks the rules, or Python could not import the app's package.
    """
    try:
        full = full_name(name)
    except AppNotFoundError as error:
        raise _refused(name, "small letters, digits and _, a letter first") from error
    target = full.removesuffix("_project")
    if keyword.iskeyword(target) or target in _RESERVED:
        raise _refused(name, f"Python has a meaning for {target!r} already")
    return full


def _refused(name: str, why: str) -> RequestInvalidError:
    return RequestInvalidError(
        f"a new app cannot be called {name!r}: {why}",
        remedy="Choose another name, such as weather_project",
    )


def _make(root: Path, target: str) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        _fill(draft, target)
        # The draft was made for this user only; an app is an ordinary folder.
        draft.chmod(0o755)
        draft.rename(root)
    except BaseException:
        shutil.rmtree(draft)
        raise


def _fill(folder: Path, target: str) -> None:
    words = {
        "name": f"{target}_project",
        "target": target,
        "manager_class": class_name(target),
    }
    templates = resources.files("agi_env") / "template"
    for source, destination in _FILES.items():
        path = folder / Template(destination).substitute(words)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (templates / source).read_text(encoding="utf-8")
        path.write_text(Template(text).substitute(words), encoding="utf-8")
