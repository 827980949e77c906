"""The modes of an app as people see them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.views.grid import Cell, grid
from agi_cluster.model.modes import AppModes, HostAbilities, HostVerdict, ModeVerdict, VerdictState
from agi_cluster.text import byte_count

_COLUMNS = ("mode", "means", "host", "state", "why", "what helps")
_STYLES = {
    VerdictState.RUNNABLE: "green",
    VerdictState.NOT_ENABLED: "yellow",
    VerdictState.REFUSED: "bold red",
}


def modes_view(modes: AppModes) -> RenderableType:
    """What each host can do, then each mode on each host."""
    facts = [Text(_abilities(host)) for host in modes.hosts]
    rows = [row for verdict in modes.modes for row in _rows(verdict)]
    head = Text(f"{modes.app}: the settings' mode is {modes.settings_mode.words}")
    return Group(
        head,
        *facts,
        Text(""),
        grid(
            _COLUMNS, rows, right=("mode",), prose=("means", "why", "what helps"), may_go=("means",)
        ),
    )


def _rows(verdict: ModeVerdict) -> Iterator[tuple[Cell, ...]]:
    number, _, words = verdict.mode.words.partition(" = ")
    for place, host in enumerate(verdict.hosts):
        mode = (number, words) if place == 0 else ("", "")
        yield (*mode, host.host, _state(host), host.reason, host.command)


def _state(host: HostVerdict) -> Text:
    words = host.state.value.lower().replace("_", " ")
    return Text(words, style=_STYLES[host.state])


def _abilities(host: HostAbilities) -> str:
    compiler = host.compiler_reason or "can compile"
    devices = ", ".join(
        f"{each.title}{f' {byte_count(each.memory_bytes)}' if each.memory_bytes else ''}"
        for each in host.devices
    )
    gpus = f"CUDA {host.cuda}: {devices}" if devices else f"no GPU: {host.devices_reason}"
    return f"{host.host}  {host.platform}; {compiler}; {gpus}"
