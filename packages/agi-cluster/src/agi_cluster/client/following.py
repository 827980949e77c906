"""Where a watch is: what it goes on after when its stream broke."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from agi_cluster.client.call import Watch
from agi_cluster.client.patience import Patience
from agi_cluster.model.event import Event
from agi_env.errors import AgiError, DaemonError

Value = TypeVar("Value")


class Following(Generic[Value]):
    """The state of one watch, the same for both clients; it does no I/O.

    A stream that goes on opens with a snapshot again, and then has only the events after the last
    one that was taken: every event comes once.
    """

    def __init__(self, watch: Watch[Value], patience: Patience) -> None:
        self._watch = watch
        self._patience = patience
        self._after = watch.after_sequence
        self._settled = False

    def request(self) -> Message:
        """What to ask for now."""
        self._settled = False
        return self._watch.request(self._after)

    def take(self, response: Any) -> tuple[Value, int]:
        """Read one message of the stream."""
        self._patience.renew()
        value, sequence = self._watch.parse(response)
        if isinstance(value, Event):
            self._after = value.sequence
        else:
            self._settled = bool(value.state.settled)  # type: ignore[attr-defined]
        return value, sequence

    def ended(self) -> bool:
        """Whether a stream that came to its end without an error told all there was to tell."""
        return self._settled

    def pause(self, error: AgiError | None = None) -> float:
        """The seconds to wait before asking again, after the stream broke with this error.

        Raises:
            AgiError: The error, when nobody answered for too long.
        """
        # A stream may break right after it opened with the snapshot of a settled run.
        self._settled = False
        return self._patience.pause_after(error or DaemonError("the daemon ended the watch"))
