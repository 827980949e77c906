"""The directory of one attempt of a step: its code, how it is executed, what it printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from agi_cluster.client.step import TOKEN_VARIABLE
from agi_cluster.model.pipeline_run import StepExecution
from agi_daemon.pipelines.step_attach import ORDER_FILE
from agi_env.atomic_file import write_atomically
from agi_env.errors import StepFailedError
from agi_env.paths import absolute, private_directory
from agi_env.runtime import bounded_log
from agi_env.runtime.supervision import LOG_FILE

_CODE_FILE = "step.py"
_TAIL_LINES = 20


def place_of(folder: Path, run_id: str, index: int, attempt: int) -> Path:
    """Where the directory of an attempt is, below the folder of all executions."""
    return folder / run_id / f"{index + 1:03d}-{attempt}"


def write(place: Path, step: StepExecution, file: str, token: str, address: str) -> None:
    """Write code and order; doing it again writes the same bytes.

    Args:
        place: The directory.
        step: What is executed.
        file: The file of the pipeline, beside which a step without an environment runs.
        token: What the step identifies itself with.
        address: Where the daemon serves.

    Raises:
        StepFailedError: The folder in which it is to run is not there.
        DiskFullError, StateUnwritableError: It cannot be written.
    """
    private_directory(place)
    home = Path(file).parent
    folder = absolute(home / Path(step.environment).expanduser()) if step.environment else home
    if not folder.is_dir():
        raise StepFailedError(
            "the folder of its environment is not there",
            where=str(folder),
            remedy="Correct E of the step, or leave it out",
        )
    extra = {"AGI_ADDRESS": address, TOKEN_VARIABLE: token}
    if step.engine == "runpy":
        extra["PYTHONPATH"] = str(folder)
    argv = [_python(step, folder), "-u", str(place / _CODE_FILE)]
    order = {"argv": argv, "cwd": str(folder), "env": extra}
    write_atomically(place / _CODE_FILE, step.code.encode())
    write_atomically(place / ORDER_FILE, json.dumps(order).encode())


def log_path(place: Path) -> Path:
    """What the step printed."""
    return place / LOG_FILE


def log(place: Path) -> bytes:
    """All of what the step printed, also while it goes on; empty before it does."""
    return bounded_log.read(log_path(place)) if log_path(place).parent.is_dir() else b""


def log_tail(place: Path) -> str:
    """The last lines that the step printed."""
    if not log_path(place).parent.is_dir():
        return ""
    text = bounded_log.tail(log_path(place)).decode(errors="replace")
    return "\n".join(text.splitlines()[-_TAIL_LINES:])


def _python(step: StepExecution, folder: Path) -> str:
    """The interpreter: a snippet needs ours, other code has its project's where there is one."""
    own = (folder / ".venv/bin/python", folder / "bin/python")
    if step.engine == "runpy" and step.environment:
        for candidate in own:
            if candidate.is_file():
                return str(candidate)
    return sys.executable
