"""What is followed goes on when nobody watches: leaving it, losing the daemon, coming back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from agi_cli import exit_codes
from agi_cli.session import Session
from agi_env.errors import AgiError, DaemonError, TunnelError

if TYPE_CHECKING:
    from agi_cluster.client.sync import Client


@dataclass(frozen=True, slots=True)
class Followed:
    """Something that a person watches and that the daemon keeps.

    Attributes:
        name: Such as ``runs/ID``.
        back: The command that comes back to it; empty for none.
        stop: The command that ends it.
        alone: Whether it goes on also while the daemon is away.
    """

    name: str
    back: str = ""
    stop: str = ""
    alone: Callable[[], bool] = lambda: False

    @contextmanager
    def watched(
        self, session: Session, client: Client, say: Callable[[str], None]
    ) -> Iterator[None]:
        """Have Ctrl-C end the watching only, and tell when the daemon goes away and comes back.

        Raises:
            typer.Exit: Ctrl-C was pressed; it was said how to come back.
            DaemonError: The daemon stayed away; it says how to come back.
        """
        before, client.away = client.away, _Once(lambda error: say(self._away(error)))
        try:
            yield
        except KeyboardInterrupt:
            self._detach(session)
            raise typer.Exit(exit_codes.DETACHED) from None
        except DaemonError as error:
            raise self._left(error) from error
        finally:
            client.away = before

    @property
    def _short(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def _fate(self) -> str:
        return f"{self.name} goes on{'' if self.alone() else ' when it is back'}"

    def _detach(self, session: Session) -> None:
        session.say(f"detached: {self.name} goes on")
        if self.back:
            session.say(f"`{self.back} {self._short}` comes back to it")
            session.say(f"`{self.stop} {self._short}` ends it")

    def _away(self, error: AgiError | None) -> str:
        if error is None:
            return "the daemon is back"
        return f"the daemon is gone; {self._fate}; waiting for it"

    def _left(self, error: DaemonError) -> DaemonError:
        """The error with what becomes of what was followed, and with the way back to it."""
        if type(error) not in {DaemonError, TunnelError}:
            return error
        facts = error.to_metadata() | {"what": f"{error.what}; {self._fate}"}
        if self.back:
            back = f"`{self.back} {self._short}`"
            # A command that needs the daemon of this user's own address starts it.
            mine = error.remedy == DaemonError.advice
            facts["remedy"] = (
                f"{back} starts the daemon and comes back to it"
                if mine
                else f"{error.remedy}; {back} comes back to it"
            )
        return type(error).from_metadata(facts)


class _Once:
    """Tells of an absence once, also where several calls wait for the same daemon."""

    def __init__(self, tell: Callable[[AgiError | None], None]) -> None:
        self._tell = tell
        self._gone = False
        self._turn = threading.Lock()

    def __call__(self, error: AgiError | None) -> None:
        with self._turn:
            if self._gone is not (error is not None):
                self._gone = error is not None
                self._tell(error)
