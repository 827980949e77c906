"""``python -m agi_daemon serve``: the daemon as a program.

A daemon that cannot start writes exactly one line to stderr, a JSON object with the ``code`` and
the ``metadata`` of an error of the catalogue, and ends with that error's exit code. Whoever
started it raises the same error again. ``restore`` and ``rebuild`` put its store right while it
does not run; they fail in the same way, and else write one JSON object to stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from agi_daemon.defects import defect, sole_cause
from agi_daemon.instance_lock import InstanceLock
from agi_daemon.log import get_log, open_log
from agi_daemon.settings import DaemonSettings
from agi_env import paths
from agi_env.errors import AgiError, RequestInvalidError

if TYPE_CHECKING:
    from agi_daemon.compose import Compose

_log = get_log("agi_daemon.main")


def main(argv: Sequence[str] | None = None, compose: Compose | None = None) -> int:
    """Run the program; return its exit code.

    Args:
        argv: The arguments without the program's name; None: those of this process.
        compose: Makes the services; None: the daemon's own, `agi_daemon.compose.compose`.
    """
    try:
        arguments = _parser().parse_args(argv)
        settings = DaemonSettings.read(arguments.state_dir, arguments.address)
        if arguments.command == "serve":
            run(settings, compose)
        else:
            _recover(settings, arguments)
    except AgiError as error:
        return _report(error)
    return 0


def run(settings: DaemonSettings, compose: Compose | None) -> None:
    """Hold the state directory and serve until asked to stop.

    Raises:
        AgiError: The daemon could not start, or ended for a reason of its own.
    """
    paths.private_directory(settings.state)
    with (
        InstanceLock(settings.lock_path, settings.address),
        open_log(settings.log_path, level=settings.log_level, most_bytes=settings.log_bytes),
    ):
        try:
            _serve(settings, compose)
        except Exception as raised:
            error = sole_cause(raised)
            if not isinstance(error, AgiError):
                raise defect(error, "the daemon") from raised
            _log.error("the daemon ended", code=error.code, message=str(error))
            raise error from raised


def _serve(settings: DaemonSettings, compose: Compose | None) -> None:
    # gRPC costs most of the start: a daemon that finds the lock taken has not paid for it.
    from agi_daemon.compose import compose as our_own  # noqa: PLC0415
    from agi_daemon.serve import serve  # noqa: PLC0415

    asyncio.run(serve(settings, compose or our_own))


def _recover(settings: DaemonSettings, arguments: argparse.Namespace) -> None:
    """Do what is done to a store that no daemon serves, and write what came of it."""
    from agi_daemon.recovery import rebuild, restore  # noqa: PLC0415 - not what a start pays for

    paths.private_directory(settings.state)
    with open_log(settings.log_path, level=settings.log_level, most_bytes=settings.log_bytes):
        if arguments.command == "restore":
            backup = paths.absolute(arguments.path) if arguments.path else None
            done = asyncio.run(restore(settings, backup))
        else:
            done = asyncio.run(rebuild(settings, anew=arguments.anew))
    _log.info(arguments.command, **done)
    sys.stdout.write(json.dumps(done) + "\n")


class _Parser(argparse.ArgumentParser):
    """Reports wrong arguments as an error of the catalogue."""

    def error(self, message: str) -> NoReturn:
        raise RequestInvalidError(message, where=self.prog, remedy=f"`{self.prog} --help` says how")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m agi_daemon", description="The agi daemon.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    serve = commands.add_parser("serve", help="serve until SIGTERM or `agi daemon stop`")
    restore = commands.add_parser("restore", help="go back to a backup; no daemon may run")
    rebuild = commands.add_parser(
        "rebuild", help="take in the runs' directories; no daemon may run"
    )
    for each in (serve, restore, rebuild):
        each.add_argument(
            "--state-dir", default="", help="default: $AGI_STATE_DIR or the user's own"
        )
        each.add_argument(
            "--address", default="", help="unix:PATH; default: in the state directory"
        )
    restore.add_argument("path", nargs="?", default="", help="default: the last backup")
    rebuild.add_argument("--anew", action="store_true", help="put a sound store aside as well")
    return parser


def _report(error: AgiError) -> int:
    line = json.dumps({"code": error.code, "metadata": error.to_metadata()})
    sys.stderr.write(line + "\n")
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
