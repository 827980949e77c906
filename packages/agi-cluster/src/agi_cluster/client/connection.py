"""What both clients have in common: an address, and the stubs on one channel to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Generic, TypeVar

from agi_cluster.client.address import Address
from agi_cluster.client.call import Call, Stream, Watch
from agi_cluster.client.deadlines import DEFAULT, Deadlines
from agi_cluster.client.patience import Patience

Channel = TypeVar("Channel")


class Connection(ABC, Generic[Channel]):
    """A channel that is opened by the first call, and the stubs that calls go through."""

    def __init__(
        self,
        address: Address | str | None = None,
        *,
        start_daemon: bool = True,
        deadlines: Deadlines = DEFAULT,
    ) -> None:
        given = Address.parse(address) if isinstance(address, str) else address
        self.address = given or Address.here()
        self.deadlines = deadlines
        self._start_daemon = start_daemon
        self._channel: Channel | None = None
        self._stubs: dict[object, Any] = {}

    @abstractmethod
    def connect(self) -> Channel:
        """A new channel to the address."""

    @property
    def startable(self) -> Path | None:
        """The state directory whose daemon this client may start, if any."""
        return self.address.state if self._start_daemon else None

    def release(self) -> Channel | None:
        """Forget the channel and hand it over to be closed."""
        channel, self._channel = self._channel, None
        self._stubs.clear()
        return channel

    def method(self, call: Call[Any] | Stream[Any] | Watch[Any]) -> Any:
        """The stub's method of a call."""
        if self._channel is None:
            self._channel = self.connect()
        if call.stub not in self._stubs:
            self._stubs[call.stub] = call.stub(self._channel)
        return getattr(self._stubs[call.stub], call.rpc)

    def patience(self, call: Call[Any]) -> Patience:
        """How long to try a call."""
        return Patience(self.deadlines.answer, deadline=self.deadlines.of(call.pace))
