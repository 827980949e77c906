"""``python -m agi_env.runtime.clear_run RUN_DIR``: end what is left of a run on this host.

Meant for a run that is settled elsewhere: runner, workers and everything below them are killed.
One JSON line on stdout says how many of them there were: ``{"ended": n}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from agi_env.errors import AgiError, RequestInvalidError
from agi_env.runtime import control, process_tree, supervisor
from agi_env.runtime.attach import say
from agi_env.runtime.identity import Identity
from agi_env.runtime.logs import WORKERS_DIRECTORY


def main(arguments: Sequence[str] | None = None) -> int:
    """Clear up the run that the command line names; the exit code."""
    try:
        words = sys.argv[1:] if arguments is None else list(arguments)
        if len(words) != 1:
            raise RequestInvalidError(f"{json.dumps(words)} is no run directory")
        say({"ended": clear(Path(words[0]).resolve())})
    except AgiError as error:
        say(control.error_answer(error))
        return error.exit_code
    return 0


def clear(run_dir: Path) -> int:
    """End the runner and the workers of a run; how many supervisors lived."""
    ended = 0
    for directory in _supervised(run_dir):
        holder = Identity.read(directory)
        if holder is not None and holder.is_living:
            process_tree.kill_tree(holder.pid)
            ended += 1
        supervisor.clear_up(directory)
    return ended


def _supervised(run_dir: Path) -> Iterator[Path]:
    if run_dir.is_dir():
        yield run_dir
        yield from sorted((run_dir / WORKERS_DIRECTORY).glob("*"))


if __name__ == "__main__":
    sys.exit(main())
