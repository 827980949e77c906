"""What the shell offers for an argument: the names that a running daemon knows.

A key press starts no daemon and reports no error: where there is nobody to ask, nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from agi_env.errors import AgiError

if TYPE_CHECKING:
    from agi_cluster.client.sync import Client


def apps() -> list[str]:
    """The names of the registered apps."""
    return _names(lambda client: (app.name for app in client.list_apps(page_size=1000).items))


def runs() -> list[str]:
    """The ids of the latest runs."""
    return _names(lambda client: (run.id for run in client.list_runs().items))


def hosts() -> list[str]:
    """The addresses of the hosts."""
    return _names(lambda client: (host.address for host in client.list_hosts().items))


def plans() -> list[str]:
    """The names of the latest plans."""
    return _names(lambda client: (plan.name for plan in client.list_plans().items))


def pipeline_runs() -> list[str]:
    """The ids of the latest executions of pipelines."""
    return _names(lambda client: (run.id for run in client.list_pipeline_runs().items))


def _names(ask: Callable[[Client], Iterable[str]]) -> list[str]:
    from agi_cli.session import connect  # noqa: PLC0415 - it takes its annotations from options

    try:
        with connect(start_daemon=False) as client:
            return list(ask(client))
    except AgiError:
        return []
