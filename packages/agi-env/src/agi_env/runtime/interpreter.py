"""The interpreter that executors run with, and what is added to their environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from agi_env.module_command import module_command
from agi_env.runtime.devices import VISIBLE_VARIABLE

MARK = "AGI_EXECUTOR"
"""The variable by which the descendants of an executor are known, wherever they hide."""

_THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """How to run a Python program.

    Attributes:
        python: Path of the interpreter; by default the one that runs now.
        env: What is added to this process's environment.
    """

    python: str = sys.executable
    env: Mapping[str, str] = field(default_factory=dict)

    def command(self, module: str, *arguments: str) -> list[str]:
        """The command that runs a module, unbuffered, without the current directory's modules."""
        return module_command(self.python, module, *arguments, options=("-u",))

    def environment(self, threads: int, mark: str, device: str = "") -> dict[str, str]:
        """The environment of an executor that may use this many threads, and this GPU alone."""
        counts = dict.fromkeys(_THREAD_COUNTS, str(threads))
        seen = {VISIBLE_VARIABLE: device} if device else {}
        return {**os.environ, **counts, **self.env, **seen, MARK: mark}
