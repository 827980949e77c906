"""The network of a cluster: a bridge on this machine, and a cable from it to each host.

There is no route from it to anywhere else: hosts know their own network only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE, Popen

from hosts import programs
from hosts.machine import Machine
from hosts.subnet import Subnet

_LINKS = Path("/sys/class/net")


class Network:
    """The bridge, on which the manager has an address."""

    def __init__(self, subnet: Subnet) -> None:
        self.subnet = subnet

    def up(self) -> None:
        """Make the bridge."""
        bridge = self.subnet.bridge
        _ip([f"link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"])
        ipv6 = Path(f"/proc/sys/net/ipv6/conf/{bridge}/disable_ipv6")
        if ipv6.exists():
            ipv6.write_text("0")
        _ip([*_addresses(self.subnet, 0, bridge), f"link set {bridge} up"])

    def plug(self, machines: dict[int, Machine]) -> None:
        """Connect hosts that are on, by their numbers."""
        cables = (self._cable(number, machine.pid) for number, machine in machines.items())
        _ip([line for cable in cables for line in cable])
        for configured in [self._configure(*item) for item in machines.items()]:
            programs.finish(configured)

    def unplug(self, number: int) -> None:
        """Take a host's cable away; nothing where there is none."""
        if (_LINKS / self.subnet.port(number)).exists():
            programs.run("ip", "link", "del", self.subnet.port(number), check=False)

    def set_link(self, number: int, state: str) -> None:
        """Have a host's cable carry (``up``) or not (``down``)."""
        port = self.subnet.port(number)
        programs.run("ip", "link", "set", port, state)
        if state == "up":
            # The kernel tells the bridge of a cable that carries again at most once a second.
            programs.eventually(lambda: _bridged(port), f"{port} carries again")

    def down(self) -> None:
        """Take away the bridge and every cable, whoever left them."""
        bridge = self.subnet.bridge
        for link in _LINKS.iterdir():
            if link.name == bridge or link.name.startswith(f"{bridge}-"):
                programs.run("ip", "link", "del", link.name, check=False)

    def _configure(self, number: int, machine: Machine) -> Popen[str]:
        """Begin to give a host its addresses."""
        ends = ["link set lo up", *_addresses(self.subnet, number, "eth0"), "link set eth0 up"]
        return _start_ip(ends, machine.enter("--net"))

    def _cable(self, number: int, pid: int) -> list[str]:
        port = self.subnet.port(number)
        far = f"address {self.subnet.hardware(number)} netns {pid}"
        return [
            f"link add {port} type veth peer name eth0 {far}",
            f"link set {port} master {self.subnet.bridge} up",
        ]


def _bridged(port: str) -> bool:
    """Whether the bridge passes on what comes from this port (BR_STATE_FORWARDING)."""
    state = Path(f"/sys/class/net/{port}/brport/state")
    return state.read_text(encoding="ascii").strip() == "3"


def has_ipv6() -> bool:
    """Whether this kernel has IPv6 at all."""
    return Path("/proc/sys/net/ipv6").exists()


def _addresses(subnet: Subnet, number: int, link: str) -> list[str]:
    lines = [f"address add {subnet.address(number)}/24 dev {link}"]
    if has_ipv6():
        # Without looking for duplicates, which takes a second.
        lines.append(f"address add {subnet.address6(number)}/64 dev {link} nodad")
    return lines


def _ip(lines: Sequence[str]) -> None:
    programs.finish(_start_ip(lines, []))


def _start_ip(lines: Sequence[str], before: Sequence[str]) -> Popen[str]:
    words = [*before, programs.found("ip"), "-batch", "-"]
    process = programs.start(words, stdin=PIPE)
    assert process.stdin is not None
    # A few lines fit into the pipe: the program need not read for us to go on.
    process.stdin.write("".join(f"{line}\n" for line in lines))
    process.stdin.flush()
    return process
