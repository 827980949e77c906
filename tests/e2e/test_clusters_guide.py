"""The guide on clusters, command by command: the example, on four hosts, from nothing."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from agi_cli.main import run
from agi_cli.session import Session
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode
from hosts import Cluster

REPOSITORY = Path(__file__).parents[2]
GUIDE = REPOSITORY / "docs" / "guides" / "clusters.md"
EXAMPLE = REPOSITORY / "examples" / "flights_project"
EXPECTED = {"agi doctor flights": 5}
"""Exit codes of commands of which the guide says when they end so."""


@pytest.fixture(scope="module")
def daemon(shared_hosts: Cluster, tmp_path_factory: Any) -> Iterator[RunningDaemon]:
    config = tmp_path_factory.mktemp("ssh") / "config"
    config.write_text("".join(map(_alias, shared_hosts)))
    names = "".join(f"{host.address} node{host.place.number}\n" for host in shared_hosts)
    known = {host: (host.disk / "etc" / "hosts").read_text() for host in shared_hosts}
    for host in shared_hosts:
        (host.disk / "etc" / "hosts").write_text(known[host] + names)
        host.run("rm", "-rf", f"{host.home}/.local/state/agi-host")
    env = {"AGI_CLUSTER_SHARE": str(shared_hosts.share), "AGI_SSH_CONFIG": str(config)}
    with running_daemon(env=env) as daemon:
        yield daemon
    for host, text in known.items():
        (host.disk / "etc" / "hosts").write_text(text)


def _alias(host: Any) -> str:
    number = host.place.number
    login = f"HostName {host.address}\n  User root\n  IdentityFile {host.identity}\n"
    return f"Host node{number}\n  {login}"


def blocks() -> list[list[str]]:
    """Our commands in each of the guide's blocks, without their comments."""
    found = re.findall(r"^```\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    lines = [[line.partition(" #")[0].strip() for line in each.splitlines()] for each in found]
    return [[line for line in each if line.startswith("agi ")] for each in lines]


@pytest.mark.timeout(400)  # the wheels of the example are fetched, and it runs five times
def test_the_commands_of_the_guide(daemon: RunningDaemon, hosts: Cluster) -> None:
    enrolling, working, *others = blocks()
    assert len(enrolling) == 5 and len(working) <= 6
    failed = {}
    for line in [*enrolling[1:], *working, *chain.from_iterable(others)]:
        code, said = played(line, daemon, hosts)
        if code != EXPECTED.get(line, 0):
            failed[line] = (code, said)
    assert failed == {}
    with daemon.client() as client:
        plain = client.start_run(StartRun(app="flights", mode=Mode.PLAIN)).id
        *_, (here, _) = client.watch_run(plain)
        runs = [each for each in client.list_runs().items if each.mode & Mode.CLUSTER]
        ends = [client.get_run(each.id) for each in runs]
    assert isinstance(here, Run) and here.result
    assert len(ends) == 4
    assert [end.result for end in ends] == [here.result] * len(ends)


def played(line: str, daemon: RunningDaemon, hosts: Cluster) -> tuple[int, str]:
    """Carry out a command of the guide, its words for things replaced by the things."""
    words = line.replace("ann@node", "node").replace("examples/flights_project", str(EXAMPLE))
    number = re.search(r"node(\d) --trust-fingerprint", words)
    if number:
        words = words.replace("SHA256:...", hosts[int(number[1]) - 1].host_key)
    if "DIGEST" in words:
        words = words.replace("DIGEST", oldest_release(daemon))
    session = Session(
        out=io.StringIO(), err=io.StringIO(), connect=lambda start_daemon: daemon.client()
    )
    code = run(words.split()[1:], session)
    return code, session.err.getvalue() + session.out.getvalue()  # type: ignore[attr-defined]


def oldest_release(daemon: RunningDaemon) -> str:
    out = io.StringIO()
    session = Session(out=out, err=io.StringIO(), connect=lambda start_daemon: daemon.client())
    assert run(["releases", "list", "flights", "-o", "json"], session) == 0
    digest: str = json.loads(out.getvalue())["releases"][-1]["digest"]
    return digest[:12]
