"""What a run uses, free of any platform: named inputs and the digest of them all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from attrs import field, frozen

from agi_env.atomic_file import write_atomically
from agi_env.paths import private_directory

APP_FILE = "app: "
"""What the names of the app's own files begin with."""


def digest_of(value: Any) -> str:
    """SHA-256 of a JSON value in its canonical form, as hexadecimal."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _inputs(value: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(value.items()))


@frozen
class Release:
    """The inputs of a build by name, such as ``app: src/flights/flights.py``."""

    inputs: dict[str, str] = field(converter=_inputs)

    @property
    def digest(self) -> str:
        """Equal for equal inputs, whatever the host."""
        return digest_of(self.inputs)

    def to_json(self) -> dict[str, Any]:
        """The release as a JSON value."""
        return {"schema": "agi.release.v1", "digest": self.digest, "inputs": self.inputs}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The release that ``to_json`` described."""
        return cls(value["inputs"])


def changed_inputs(old: Release | None, new: Release) -> tuple[str, ...]:
    """What differs between two releases, such as ``app: src/a/a.py (edited)``, by name.

    Files of the app are edited; all else, such as dependencies and modes, is changed, as by the
    mode of a run, or by another release of what is needed.

    Nothing is reported as changed where there was no release before.
    """
    if old is None:
        return ()
    names = sorted(old.inputs.keys() | new.inputs.keys())
    return tuple(
        f"{name} ({_change(name, old, new)})"
        for name in names
        if old.inputs.get(name) != new.inputs.get(name)
    )


def _change(name: str, old: Release, new: Release) -> str:
    if name not in old.inputs:
        return "added"
    if name not in new.inputs:
        return "removed"
    if name.startswith(APP_FILE):
        return "edited"
    return _modes(old, new) if name == "modes" else "changed"


def _modes(old: Release, new: Release) -> str:
    """The bits that came or went; a release of another version may know modes by other words."""
    before, after = old.inputs["modes"], new.inputs["modes"]
    if not (before.isdecimal() and after.isdecimal()):
        return "changed"
    came, went = int(after) & ~int(before), int(before) & ~int(after)
    said = [f"{bits} {what}" for bits, what in ((came, "added"), (went, "removed")) if bits]
    return ", ".join(said) or "changed"


class ReleaseFiles:
    """The release that was installed last, for each app and role.

    Args:
        folder: Where they are kept, as ``<app>/<role>.json``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, app: str, role: str) -> Release | None:
        """The last release; none where there is none or where its file is damaged."""
        try:
            return Release.from_json(json.loads(self._path(app, role).read_bytes()))
        except (FileNotFoundError, ValueError, KeyError):  # it only tells what changed since
            return None

    def save(self, app: str, role: str, release: Release) -> None:
        """Remember the release as the last."""
        path = self._path(app, role)
        private_directory(path.parent)
        write_atomically(path, json.dumps(release.to_json(), indent=1).encode())

    def _path(self, app: str, role: str) -> Path:
        return self._folder / app / f"{role}.json"
