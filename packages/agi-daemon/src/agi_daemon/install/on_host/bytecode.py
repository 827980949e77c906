"""The bytecode of a build: borrowed from a build that shares a wheel, or compiled.

It is made with unchecked hashes: a build never changes, so an import need not look at sources.
"""

# pathlib would add a third to the time that a check takes; these paths are all below our root.
# ruff: noqa: PTH103, PTH118, PTH120, PTH123, PTH208
from __future__ import annotations

import os
import sys

from agi_daemon.install.on_host.command import attempt
from agi_daemon.install.on_host.files import drift_of, files_below, in_tests, read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

_WORTH_PROCESSES = 40  # modules; for fewer, one process compiles before others have started


def add_bytecode(python: str, builds: str, site: str, request: Mapping[str, Any]) -> None:
    """Give every module below ``site`` its bytecode, but for tests and what does not compile."""
    relative = site.split("/lib/", 1)[1]
    kin, shared = closest_kin(builds, request)
    known = set(_recorded(site, shared)) if kin else set()
    todo = [
        name
        for name in _lacking(site)
        if name not in known or not _borrow(f"{kin}/lib/{relative}", site, name)
    ]
    _compile(python, [f"{site}/{name}" for name in todo], request["idle_s"])


def closest_kin(builds: str, request: Mapping[str, Any]) -> tuple[str, set[str]]:
    """The sound build of this platform with most wheels in common, and their file names."""
    wanted = {wheel[0]: wheel[1] for wheel in request["wheels"]}
    found: list[tuple[int, str, set[str]]] = []
    for name in os.listdir(builds):
        manifest = read_json(f"{builds}/{name}/manifest.json")
        if manifest and manifest["platform"] == request["platform"]:
            common = wanted.keys() & {wheel[0] for wheel in manifest["wheels"]}
            found.append((len(common), f"{builds}/{name}", {wanted[sha] for sha in common}))
    for _, path, names in sorted(found, reverse=True):
        if not drift_of(path):
            return path, names
    return "", set()


def compiled(path: str) -> str:
    """Where Python looks for the bytecode of a source."""
    folder, name = os.path.split(path)
    place = os.path.join(folder, "__pycache__")
    return f"{place}/{name[:-3]}.{sys.implementation.cache_tag}.pyc"


def _lacking(site: str) -> Iterator[str]:
    """Modules whose bytecode came with no wheel."""
    names = {name for name, _ in files_below(site)}
    modules = (name for name in names if name.endswith(".py") and not in_tests(name))
    return (name for name in modules if compiled(name) not in names)


def _recorded(site: str, wheels: set[str]) -> Iterator[str]:
    wanted = {_distribution(name) for name in wheels}
    for entry in os.listdir(site):
        if entry.endswith(".dist-info") and _distribution(entry[: -len(".dist-info")]) in wanted:
            with open(f"{site}/{entry}/RECORD", encoding="utf-8") as record:
                yield from (line.rsplit(",", 2)[0].strip('"') for line in record)


def _distribution(name: str) -> str:
    first, _, rest = name.partition("-")
    return f"{first}-{rest.split('-')[0]}".lower().replace(".", "_")


def _borrow(kin_site: str, site: str, name: str) -> bool:
    target = compiled(f"{site}/{name}")
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.link(compiled(f"{kin_site}/{name}"), target)
    except FileNotFoundError:  # it did not compile there either
        return False
    return True


def _compile(python: str, paths: Sequence[str], idle_s: float) -> None:
    argv = [python, "-I", "-m", "compileall", "-q", "-i", "-"]
    argv += ["--invalidation-mode", "unchecked-hash"]
    argv += ["-j0"] if len(paths) > _WORTH_PROCESSES else []
    if paths:  # files that are no Python of this version are common in tests: no reason to fail
        attempt(argv, {}, "compileall", text="\n".join(paths), idle_s=idle_s)
