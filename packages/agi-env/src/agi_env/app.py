"""An app: a project folder with a manager side and a worker side, and how one is found."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

from agi_env.errors import AppInvalidError, AppNotFoundError
from agi_env.paths import absolute, apps_path
from agi_env.pyproject import Pyproject, read_pyproject

_NAME = re.compile(r"[a-z][a-z0-9_]*_project")
_SUFFIX = "_project"


@dataclass(frozen=True, slots=True)
class App:
    """A project folder ``<target>_project``.

    ::

        flights_project/
          pyproject.toml                        manager-side dependencies
          src/app_settings.toml                 seed of the user's settings (optional)
          src/flights/flights.py                class Flights: names the partitions
          src/flights_worker/flights_worker.py  class FlightsWorker: does the work
          src/flights_worker/pyproject.toml     worker-side dependencies (optional)
    """

    root: Path
    """The folder, absolute."""

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Self:
        """The app in this folder.

        Raises:
            AppNotFoundError: There is no such folder.
            AppInvalidError: It is not an app; the message names what is missing.
        """
        app = cls(absolute(path))
        if not _is_folder(app.root):
            raise AppNotFoundError("there is no such folder", where=str(app.root))
        app._check()
        return app

    @classmethod
    def find(
        cls,
        name: str,
        roots: Iterable[str | os.PathLike[str]] = (),
        environ: Mapping[str, str] = os.environ,
    ) -> Self:
        """The app of this name, or at this path when it has a slash.

        Args:
            name: ``flights_project``, in short ``flights``, or a path.
            roots: Where to look first: folders of apps, or app folders themselves.
            environ: Whose ``APPS_PATH`` is searched after that.

        Raises:
            AppNotFoundError: No such folder is in any of these places.
            AppInvalidError: The first such folder is not an app.
        """
        if is_path(name):
            return cls.at(name)
        full = full_name(name)
        places = [*map(absolute, roots), *apps_path(environ)]
        for place in places:
            folder = place if place.name == full else place / full
            if _is_folder(folder):
                return cls.at(folder)
        raise AppNotFoundError(f"there is no app {full}", metadata={"app": full})

    @property
    def name(self) -> str:
        """The name of the folder: ``flights_project``."""
        return self.root.name

    @property
    def target(self) -> str:
        """The name without ``_project``: ``flights``."""
        return self.name.removesuffix(_SUFFIX)

    @property
    def manager_class(self) -> str:
        """The class that names the partitions: ``Flights``."""
        return class_name(self.target)

    @property
    def worker_class(self) -> str:
        """The class that does the work: ``FlightsWorker``."""
        return class_name(self.target) + "Worker"

    @property
    def manager_module(self) -> str:
        """The module of the manager class, as it is imported: ``flights.flights``."""
        return f"{self.target}.{self.target}"

    @property
    def worker_module(self) -> str:
        """The module of the worker class: ``flights_worker.flights_worker``."""
        return f"{self.target}_worker.{self.target}_worker"

    @property
    def source(self) -> Path:
        """The folder of all sources: ``src``."""
        return self.root / "src"

    @property
    def manager_source(self) -> Path:
        """The folder of the manager side: ``src/flights``."""
        return self.source / self.target

    @property
    def worker_source(self) -> Path:
        """The folder of the worker side: ``src/flights_worker``."""
        return self.source / f"{self.target}_worker"

    @property
    def manager_file(self) -> Path:
        """The file of the manager class."""
        return self.manager_source / f"{self.target}.py"

    @property
    def worker_file(self) -> Path:
        """The file of the worker class."""
        return self.worker_source / f"{self.target}_worker.py"

    @property
    def settings_seed(self) -> Path:
        """The settings that come with the app; need not exist."""
        return self.source / "app_settings.toml"

    @property
    def pyproject(self) -> Path:
        """The app's declarations."""
        return self.root / "pyproject.toml"

    @property
    def worker_pyproject(self) -> Path:
        """The worker side's own declarations; need not exist."""
        return self.worker_source / "pyproject.toml"

    @property
    def requires_python(self) -> str:
        """The Python versions the app accepts, such as ``>=3.11``; empty: any.

        Raises:
            AppInvalidError: ``pyproject.toml`` cannot be used.
        """
        return read_pyproject(self.pyproject).requires_python

    def manager_dependencies(self) -> list[str]:
        """What the manager side needs, as requirement lines.

        Raises:
            AppInvalidError: ``pyproject.toml`` cannot be used.
        """
        return list(read_pyproject(self.pyproject).dependencies)

    def worker_dependencies(self) -> list[str]:
        """What the worker side needs: its own declarations when it has a file, else the app's.

        Raises:
            AppInvalidError: The ``pyproject.toml`` in question cannot be used.
        """
        return list(self._worker_declarations().dependencies)

    def _worker_declarations(self) -> Pyproject:
        own = self.worker_pyproject
        return read_pyproject(own if own.is_file() else self.pyproject)

    def _check(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise AppInvalidError(
                f"{self.name!r} is no name for an app",
                where=str(self.root),
                remedy="Call the folder NAME_project: small letters, digits and _",
            )
        for needed in _needed(self):
            if not needed.is_file():
                raise AppInvalidError(
                    f"the file {needed.relative_to(self.root)} is missing",
                    where=str(self.root),
                    metadata={"app": self.name, "file": str(needed)},
                )


@lru_cache(maxsize=64)
def _needed(app: App) -> tuple[Path, ...]:
    # Each run begins with looking for these files, and most of that was putting paths together.
    return app.pyproject, app.manager_file, app.worker_file


def full_name(name: str) -> str:
    """The full name of an app, of which ``flights`` is short for ``flights_project``.

    Raises:
        AppNotFoundError: No app can have this name.
    """
    full = name if name.endswith(_SUFFIX) else name + _SUFFIX
    if not _NAME.fullmatch(full):
        raise AppNotFoundError(
            f"no app can be called {name!r}",
            remedy="Give NAME_project or NAME (small letters, digits and _), or the app's path",
        )
    return full


def is_path(name: str) -> bool:
    """Whether this is the path of an app rather than its name: it has a slash, or is ``.``."""
    return os.sep in name or name.startswith((".", "~"))


def class_name(target: str) -> str:
    """The manager class of a target, each part capitalised: ``air_traffic`` has ``AirTraffic``."""
    return "".join(part.capitalize() for part in target.split("_"))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:
        raise AppInvalidError(
            f"the folder cannot be read: {error.strerror}", where=str(path)
        ) from error
