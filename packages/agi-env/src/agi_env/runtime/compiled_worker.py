"""The proof that a worker is compiled: the files that its modules were loaded from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from agi_env.runtime.app_class import AppClassError
from agi_env.runtime.causes import FailureKind

_SITE = Path(__file__).parents[2]


def compiled_module(target: str) -> str:
    """The file of the worker's module, below ``site-packages``, which is an extension module.

    Args:
        target: The app's target, whose worker module was imported.

    Raises:
        AppClassError: It, or another module of its package, was loaded from a source.
    """
    package = f"{target}_worker"
    files = dict(_loaded(package))
    for name, file in sorted(files.items()):
        if not file.endswith(tuple(EXTENSION_SUFFIXES)):
            raise AppClassError(
                FailureKind.NOT_COMPILED,
                f"the mode has the cython bit, and {name} is no extension module: {_short(file)}",
            )
    return _short(files[f"{package}.{package}"])


def _loaded(package: str) -> Iterator[tuple[str, str]]:
    """Name and file of each module of the package that was imported, but for ``__init__``."""
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{package}.") and not hasattr(module, "__path__"):
            yield name, getattr(module, "__file__", None) or "no file"


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(_SITE)) if path.is_relative_to(_SITE) else file
