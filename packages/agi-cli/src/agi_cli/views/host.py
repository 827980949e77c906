"""Hosts as people see them."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import RenderableType
from rich.text import Text

from agi_cli.listing import Listing
from agi_cli.views.grid import facts, grid, listed, path, state
from agi_cluster.model.host import Host
from agi_cluster.model.login_name import LoginName
from agi_cluster.text import byte_count, duration, moment

_COLUMNS = ("host", "state", "cores", "python", "uv", "platform", "memory", "seen", "reason")


def host_table(hosts: Listing[Host]) -> RenderableType:
    """The known hosts; of the cores those that runs hold, and all."""
    rows = [
        (
            host.address,
            _state(host),
            f"{host.leased_cores}/{host.cores}" if host.cores else "",
            host.python_version,
            host.uv_version,
            host.platform,
            byte_count(host.memory_bytes) if host.memory_bytes else "",
            _ago(host.seen_time),
            host.reason,
        )
        for host in hosts.items
    ]
    table = grid(
        _COLUMNS,
        rows,
        right=("cores", "memory"),
        prose=("reason",),
        may_go=("uv", "platform", "memory", "python", "seen", "cores"),
    )
    return listed(table, "no hosts", more=hosts.more)


def host_facts(host: Host) -> RenderableType:
    """One host."""
    login = LoginName(host=host.address, user=host.user, port=host.port)
    return facts(
        [
            ("host", host.address),
            ("state", _state(host)),
            ("reason", host.reason),
            ("login", str(login) if host.offered_fingerprint else ""),
            ("identity", path(host.identity_file)),
            ("host key", host.fingerprint or _offered(host)),
            ("now shows", _offered(host) if _shows_another(host) else ""),
            ("cores", f"{host.cores}, {host.leased_cores} in use" if host.cores else ""),
            ("memory", byte_count(host.memory_bytes) if host.memory_bytes else ""),
            ("gpus", "\n".join(host.gpus)),
            ("system", ", ".join(filter(None, (host.os, host.platform, host.libc)))),
            ("python", f"{host.python_version} {host.python_path}".strip()),
            ("others", "\n".join(_other_pythons(host))),
            ("uv", f"{host.uv_version} {host.uv_path}".strip()),
            ("account", f"{host.account}, home {host.home}" if host.account else ""),
            ("directory", path(host.root)),
            ("disk free", byte_count(host.disk_free_bytes) if host.disk_free_bytes else ""),
            ("clock", _clock(host)),
            ("boot", host.boot_id),
            ("seen", moment(host.seen_time)),
            ("checked", moment(host.check_time)),
        ]
    )


def _state(host: Host) -> Text:
    text = state(host.state.value)
    return text.append(" drained", style="yellow") if host.drained else text


def _offered(host: Host) -> str:
    return f"{host.offered_fingerprint} (not trusted)" if host.offered_fingerprint else ""


def _shows_another(host: Host) -> bool:
    return bool(host.fingerprint) and host.offered_fingerprint != host.fingerprint


def _other_pythons(host: Host) -> list[str]:
    return [text for text in host.pythons if not text.endswith(f" {host.python_path}")]


def _clock(host: Host) -> str:
    if not host.boot_id or abs(host.clock_offset) < 1:
        return "as here" if host.boot_id else ""
    word = "ahead" if host.clock_offset > 0 else "behind"
    return f"{duration(abs(host.clock_offset))} {word}"


def _ago(time: datetime | None) -> str:
    if time is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - time).total_seconds())
    return "now" if seconds < 2 else f"{duration(round(seconds))} ago"
