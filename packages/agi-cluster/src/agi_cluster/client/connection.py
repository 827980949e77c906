"""What both clients have in common: an address, the way to it, and the stubs on one channel."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Generic, TypeVar

from agi_cluster.client import step
from agi_cluster.client.address import Address, grpc_target
from agi_cluster.client.call import Call, Stream, Watch
from agi_cluster.client.deadlines import DEFAULT, IN_A_STEP, Deadlines
from agi_cluster.client.patience import Away, Patience, untold
from agi_cluster.client.ssh_address import SshAddress
from agi_cluster.client.ssh_tunnel import SshTunnel
from agi_cluster.wire.errors import from_rpc
from agi_env.errors import AgiError, DaemonError

Channel = TypeVar("Channel")

_SERVE_THERE = (
    "See that a daemon serves there, or unset AGI_ADDRESS to use your own, which starts by itself"
)


class Connection(ABC, Generic[Channel]):
    """A channel that is opened by the first call, and the stubs that calls go through."""

    def __init__(
        self,
        address: Address | SshAddress | str | None = None,
        *,
        start_daemon: bool = True,
        deadlines: Deadlines = DEFAULT,
    ) -> None:
        given = Address.parse(address) if isinstance(address, str) else address
        self.address = given or Address.here()
        self.metadata = step.metadata()
        in_a_step = bool(self.metadata) and deadlines is DEFAULT
        self.deadlines = IN_A_STEP if in_a_step else deadlines
        self.tunnel = SshTunnel(self.address) if isinstance(self.address, SshAddress) else None
        self.away: Away = untold
        """Is told when a call or a watch waits for a daemon that is away, and when it is back."""
        self._start_daemon = start_daemon
        self._was_there = False
        self._channel: Channel | None = None
        self._stubs: dict[object, Any] = {}

    @abstractmethod
    def connect(self) -> Channel:
        """A new channel to the address."""

    @property
    def startable(self) -> Path | None:
        """The state directory whose daemon this client may start, if any."""
        return self.address.state if self._start_daemon else None

    @property
    def target(self) -> str:
        """Where the channel connects to, in gRPC's own terms."""
        socket = self.address.socket if self.tunnel is None else self.tunnel.socket
        return grpc_target(Path(socket))

    @property
    def reachable(self) -> bool:
        """Whether `reach` has nothing to do."""
        return self.tunnel is None or self.tunnel.is_open

    def reach(self, patience: Patience) -> float:
        """Open the tunnel to another machine; blocks as long as ``ssh`` takes.

        Returns:
            The seconds to wait before the next attempt; 0 once it is open.

        Raises:
            DaemonError: It cannot be opened. One that was open is tried again with patience.
        """
        if self.tunnel is None:
            return 0.0
        try:
            self.tunnel.open()
        except DaemonError as error:
            if not self.tunnel.was_open:
                raise
            return patience.pause_after(error)
        return 0.0

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

    def patience(self, call: Call[Any] | Stream[Any]) -> Patience:
        """How long to try a call."""
        return Patience(self._answer(), deadline=self.deadlines.of(call.pace), away=self._tell_away)

    def patience_to_reach(self) -> Patience:
        """How long to try to open the way that was open before."""
        return Patience(self.deadlines.answer, away=self._tell_away)

    def patience_to_watch(self) -> Patience:
        """How long a watch waits for a daemon that went away."""
        return Patience(self.deadlines.watch, away=self._tell_away)

    def error_of(self, failed: Any) -> AgiError:
        """The catalogue's error for a failed call; where nobody answers, it says at which address.

        Args:
            failed: A ``grpc.RpcError``.
        """
        error = from_rpc(failed)
        if type(error) is not DaemonError or error.where:
            return error
        elsewhere = self.address.state is None and error.remedy == DaemonError.advice
        return DaemonError(
            error.what,
            where=str(self.address),
            remedy=_SERVE_THERE if elsewhere else error.remedy,
            metadata=error.metadata,
        )

    def _tell_away(self, error: AgiError | None) -> None:
        # Looked up when it is told: whoever listens may have come after the call began.
        self.away(error)

    def _answer(self) -> float:
        """The seconds to wait for an answer: few where none was ever there."""
        self._was_there = (
            self._was_there
            or self.startable is not None
            or not isinstance(self.address, Address)
            or os.access(self.address.socket, os.F_OK)
        )
        longest = self.deadlines.answer
        return longest if self._was_there else min(longest, self.deadlines.absent)
