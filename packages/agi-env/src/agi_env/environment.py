"""``AgiEnv``: which app a caller means, and how much it wants to see."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from agi_env.app import App, full_name, is_path
from agi_env.errors import AppNotFoundError
from agi_env.paths import absolute
from agi_env.verbosity import Verbosity


@dataclass(frozen=True, slots=True, init=False)
class AgiEnv:
    """An app as a caller names it: a value, made without looking at the disk.

    ::

        env = AgiEnv(app="mycode_project", verbose=1)

    A name is looked for in ``apps_path``, in the folders of ``APPS_PATH``, in the current
    directory, and then among the apps that the daemon has registered.

    Args:
        app: The app's name (``mycode_project``, in short ``mycode``) or the path of its folder.
        verbose: 0 the outcome and errors; 1 phases and progress; 2 also each partition; 3 also
            what the app prints. `Verbosity` defines them.
        apps_path: A folder of apps in which to look first.

    Raises:
        AppNotFoundError: No app can have this name.
        InvalidInputError: ``verbose`` is no whole number from 0 to 3.
    """

    app: str
    verbose: int = 1
    apps_path: Path | None = None

    def __init__(
        self,
        app: str | os.PathLike[str],
        verbose: int = 1,
        apps_path: str | os.PathLike[str] | None = None,
    ) -> None:
        text = os.fspath(app)
        located = isinstance(app, os.PathLike) or is_path(text)
        named = str(absolute(text)) if located else full_name(text)
        # The class is frozen; this is how its own constructor sets its fields.
        object.__setattr__(self, "app", named)
        object.__setattr__(self, "verbose", int(Verbosity.parse(verbose)))
        object.__setattr__(self, "apps_path", None if apps_path is None else absolute(apps_path))

    @property
    def name(self) -> str:
        """The full name of the app: ``mycode_project``."""
        return Path(self.app).name

    @property
    def target(self) -> str:
        """The name without ``_project``: ``mycode``."""
        return self.name.removesuffix("_project")

    def resolve(self) -> App:
        """The app on this machine's disk.

        Raises:
            AppNotFoundError: It is in none of the places; the daemon may still know it.
            AppInvalidError: The folder is not an app.
        """
        own = () if self.apps_path is None else (self.apps_path,)
        try:
            return App.find(self.app, own)
        except AppNotFoundError:
            here = Path.cwd() / self.app
            if is_path(self.app) or not here.is_dir():
                raise
            return App.at(here)

    @property
    def reference(self) -> str:
        """What to send to a daemon on this machine: the absolute path, else the name.

        A daemon elsewhere is sent `name`: paths of this machine mean nothing there.

        Raises:
            AppInvalidError: The folder is not an app.
            AppNotFoundError: A path was given and nothing is there.
        """
        try:
            return str(self.resolve().root)
        except AppNotFoundError:
            if is_path(self.app):
                raise
            return self.name
