"""Reading the logs of a run: ``python -m agi_env.runtime.logs [--follow] RUN_DIR [FILE]``.

Writes JSON lines ``{"file": ..., "text": ...}`` to standard output, file after file. With
``--follow`` it goes on with what is new until standard input has a line or ends, and then writes
what is there by that time.
"""

from __future__ import annotations

import argparse
import json
import re
import select
import sys
from collections.abc import Iterator
from pathlib import Path

from agi_env.runtime import bounded_log
from agi_env.runtime.followed_log import FollowedLog
from agi_env.runtime.supervision import LOG_FILE

LOGS_DIRECTORY = "logs"
WORKERS_DIRECTORY = "workers"
"""Where each worker of this host has a directory of its own, with its lock and its records."""
_LOG = re.compile(r"(?P<kind>[a-z]+)(?P<rest>.*)\.log(\.\d+)?")
_PIECE_CHARACTERS = 64 * 1024
_PAUSE_S = 0.25
"""How often logs that are followed are looked at; who follows them has asked for it."""


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


class FollowedLogs:
    """The logs of a run, read as they grow, also those that begin meanwhile.

    Args:
        run_dir: The directory of the run.
        wanted: Only the log of this name; empty: all.
    """

    def __init__(self, run_dir: Path, wanted: str = "") -> None:
        self._run_dir = run_dir
        self._wanted = wanted
        self._logs: dict[int, FollowedLog] = {}

    def new(self) -> Iterator[tuple[str, str]]:
        """Name and text of what came since the last look."""
        for name, path in sorted(_paths(self._run_dir).items()):
            if self._wanted not in ("", name):
                continue
            try:
                # A log that gets another name, as a later one of its name begins, is the same.
                log = self._logs.setdefault(path.stat().st_ino, FollowedLog(path))
            except FileNotFoundError:
                continue
            log.path = path
            text = log.new()
            for start in range(0, len(text), _PIECE_CHARACTERS):
                yield name, text[start : start + _PIECE_CHARACTERS]


def main(arguments: list[str] | None = None) -> int:
    """Write the logs of a run, or the one that is named; a name that is none writes nothing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("file", nargs="?", default="")
    given = parser.parse_args(arguments)
    if given.follow:
        _follow(FollowedLogs(given.run_dir, given.file))
        return 0
    for name in log_names(given.run_dir):
        if given.file in ("", name):
            for text in pieces(given.run_dir, name):
                _write(name, text)
    return 0


def _follow(logs: FollowedLogs) -> None:
    told = False
    while not told:
        # Told first: all that was written before is read below.
        told = bool(select.select([sys.stdin], [], [], _PAUSE_S)[0])
        for name, text in logs.new():
            _write(name, text)


def _write(name: str, text: str) -> None:
    sys.stdout.write(json.dumps({"file": name, "text": text}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
