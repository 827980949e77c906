"""Hosts as people see them."""

from __future__ import annotations

from rich.console import RenderableType

from agi_cli.listing import Listing
from agi_cli.views.grid import grid, listed, state
from agi_cluster.model.host import Host
from agi_cluster.text import byte_count

_COLUMNS = ("host", "state", "cores", "in use", "memory", "python", "platform", "uv")


def host_table(hosts: Listing[Host]) -> RenderableType:
    """The known hosts."""
    rows = [
        (
            host.address,
            state(host.state.value),
            str(host.cores),
            str(host.leased_cores),
            byte_count(host.memory_bytes) if host.memory_bytes else "",
            host.python_version,
            host.platform,
            host.uv_version,
        )
        for host in hosts.items
    ]
    table = grid(_COLUMNS, rows, right=("cores", "in use", "memory"))
    return listed(table, "no hosts", more=hosts.more)
