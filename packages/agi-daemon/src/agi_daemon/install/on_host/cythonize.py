"""The program that turns a worker package into extension modules; its text is sent to a host.

``python -c TEXT REPORT PACKAGE JOBS FLAGS...`` runs in a build that has Cython and setuptools,
in the folder of the sources. It compiles every module of the package but ``__init__`` and
``__main__``, a ``.pyx`` before the ``.py`` of its name, into ``../lib``. What the compilers
complain about is on standard error, by the names that the sources have for their author.
"""

# ruff: noqa: PTH103, PTH123, PTH207, PLC0415
from __future__ import annotations

import glob
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_NEVER = ("__init__", "__main__")
_DIRECTIVES = {"language_level": "3", "binding": True}


def sources_of(package: str) -> dict[str, str]:
    """The source of each module that is compiled, by the module's full name."""
    found: dict[str, str] = {}
    for suffix in (".py", ".pyx"):
        for path in sorted(glob.glob(f"{package}/**/*{suffix}", recursive=True)):
            stem = path[: -len(suffix)]
            if os.path.basename(stem) not in _NEVER:  # noqa: PTH119
                found[stem.replace("/", ".")] = path
    return found


def extensions(package: str, flags: Sequence[str]) -> list[Any]:
    """The modules as C, or C++, that is yet to be compiled."""
    from Cython.Build import cythonize
    from setuptools import Extension

    found = [
        Extension(name, [path], include_dirs=[".", package, *_numpy()], extra_compile_args=[*flags])
        for name, path in sources_of(package).items()
    ]
    made: list[Any] = cythonize(
        found,
        build_dir="../c",
        include_path=["."],
        compiler_directives=_DIRECTIVES,
        emit_linenums=True,  # so that the C compiler names the author's lines
        force=True,
        quiet=True,
    )
    return made


def compile_all(modules: Sequence[Any], jobs: int) -> list[str]:
    """Compile and link; the paths of the extension modules, below ``../lib``."""
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    command = build_ext(Distribution({"name": "worker", "ext_modules": [*modules]}))
    command.build_lib, command.build_temp, command.parallel = "../lib", "../temp", jobs
    command.ensure_finalized()
    command.run()
    return [command.get_ext_filename(command.get_ext_fullname(each.name)) for each in modules]


def _numpy() -> list[str]:
    try:
        import numpy
    except ImportError:
        return []
    return [numpy.get_include()]


def main(report: str, package: str, jobs: str, *flags: str) -> None:
    """Compile, and leave the names of what was made in the report."""
    os.makedirs("../lib", exist_ok=True)
    made = compile_all(extensions(package, flags), int(jobs))
    with open(report, "w") as file:
        json.dump(made, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
