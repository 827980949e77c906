"""Reading the logs of a run, also while it goes on: ``python -m agi_env.runtime.logs RUN_DIR``.

Writes JSON lines ``{"file": ..., "text": ...}`` to standard output, file after file.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from agi_env.runtime import bounded_log
from agi_env.runtime.supervision import LOG_FILE

LOGS_DIRECTORY = "logs"
WORKERS_DIRECTORY = "workers"
"""Where each worker of this host has a directory of its own, with its lock and its records."""
_LOG = re.compile(r"(?P<kind>[a-z]+)(?P<rest>.*)\.log(\.\d+)?")
_PIECE_CHARACTERS = 64 * 1024


def log_names(run_dir: Path) -> list[str]:
    """The logs of a run that have anything in them, the runner's first."""
    names = [name for name, path in _paths(run_dir).items() if bounded_log.tail(path, 1)]
    return sorted(names, key=lambda name: (not name.startswith("runner"), name))


def pieces(run_dir: Path, name: str) -> Iterator[str]:
    """The text of one log in pieces, never cut inside a character."""
    text = bounded_log.read(_paths(run_dir)[name]).decode(errors="replace")
    for start in range(0, len(text), _PIECE_CHARACTERS):
        yield text[start : start + _PIECE_CHARACTERS]


def _paths(run_dir: Path) -> dict[str, Path]:
    folder, workers = run_dir / LOGS_DIRECTORY, run_dir / WORKERS_DIRECTORY
    own = folder.iterdir() if folder.is_dir() else ()
    theirs = workers.iterdir() if workers.is_dir() else ()
    return {
        **{path.name: path for path in own if _LOG.fullmatch(path.name)},
        **{f"worker-{each.name}.log": each / LOG_FILE for each in theirs},
    }


def main(arguments: list[str] | None = None) -> int:
    """Write the logs of a run, or the one that is named; a name that is none writes nothing."""
    given = sys.argv[1:] if arguments is None else arguments
    run_dir, wanted = Path(given[0]), given[1:]
    for name in log_names(run_dir):
        if not wanted or name in wanted:
            for text in pieces(run_dir, name):
                sys.stdout.write(json.dumps({"file": name, "text": text}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
