"""What an install on hosts costs, beside a floor and beside pyinfra, on N = 1, 2, 4 and 8 hosts.

    sudo -E uv run python benchmarks/install.py [ROUNDS [N...]]

The hosts are test hosts of this machine (docs/test-hosts.md), so all of them share its cores. The
app does nothing and is enabled for clusters: what is installed is its runtime with Dask. The
manager has collected the wheels before. Times are wall seconds, medians of the rounds with their
spread, the sides in turns. Aims: fresh within 1.5 of the floor; on 8 hosts unchanged in 0.5 s, in
0.2 s over connections that the daemon still holds.

floor      the content of the same wheels, as one compressed stream over OpenSSH to each host at the
           same time, unpacked there by tar
look       `ssh HOST true` on all hosts at once: a floor for an install that finds nothing to do
pyinfra    the same wheels synced, `uv venv` and `uv pip install --offline` where there is none yet;
           in the first round only, as it takes long
"""

from __future__ import annotations

import io
import os
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from medians import load

from agi_cluster.client.sync import Client
from agi_cluster.model.installation import Installation, InstallationState
from agi_cluster.model.requests import CreateInstallation
from agi_cluster.model.selection import Selection
from agi_cluster.testing import running_daemon
from agi_env.mode import Mode

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hosts import Cluster, Host, cluster

APP = Path(__file__).parent / "apps" / "nothing_project"
COUNTS = (1, 2, 4, 8)
DEADLINE_S = 300
ROOT = "/root/.local/state/agi-host"
UNPACK = "rm -rf /root/floor && mkdir /root/floor && tar xzf - -C /root/floor"
DEPLOY = """\
from pyinfra.operations import files, server
files.sync(name="wheels", src={wheels!r}, dest="/root/pyinfra/wheels")
server.shell(
    name="build",
    commands=[
        "test -e /root/pyinfra/venv/made || (uv venv -q /root/pyinfra/venv"
        " && uv pip install -q --offline --no-index --no-deps --compile-bytecode"
        " --python /root/pyinfra/venv/bin/python /root/pyinfra/wheels/*.whl"
        " && touch /root/pyinfra/venv/made)"
    ],
)
"""
INVENTORY = """\
hosts = [
    (address, dict(ssh_user="root", ssh_key={key!r}, ssh_known_hosts_file={known!r}))
    for address in {addresses!r}
]
"""

Side = Callable[[Sequence[Host]], None]


class Ours:
    """Installs by the daemon."""

    def __init__(self, client: Client, app: Path) -> None:
        self.client, self.app = client, app
        self._edits = 0

    def install(self, hosts: Sequence[Host]) -> Installation:
        """Have the app's sources as they are now on the hosts."""
        request = CreateInstallation(
            app=str(self.app),
            modes_enabled=Mode.CLUSTER,
            selection=Selection(workers={host.address: 1 for host in hosts}),
        )
        made = self.client.create_installation(request)
        *_, (last, _) = self.client.watch_installation(made.id)
        assert isinstance(last, Installation)
        assert last.state is InstallationState.SUCCEEDED, last.error
        return last

    def edit(self) -> None:
        """Change a line of the app."""
        self._edits += 1
        source = self.app / "src" / "nothing_worker" / "nothing_worker.py"
        text = re.sub(r"\nEDIT = \d+\n", "", source.read_text())
        source.write_text(f"{text}\nEDIT = {self._edits}\n")


class Floor:
    """The same bytes over one SSH stream each."""

    def __init__(self, hosts: Cluster, wheels: Sequence[Path]) -> None:
        self.bundle = _bundle(wheels)
        self._ssh = ["ssh", "-F", str(hosts.ssh_config)]

    def send(self, hosts: Sequence[Host]) -> None:
        """Send and unpack it on all of them at once."""
        with tempfile.NamedTemporaryFile() as stream:
            stream.write(self.bundle)
            stream.flush()
            self._everywhere(hosts, UNPACK, Path(stream.name))

    def look(self, hosts: Sequence[Host]) -> None:
        """Do nothing on all of them at once."""
        self._everywhere(hosts, "true", Path(os.devnull))

    def _everywhere(self, hosts: Sequence[Host], script: str, source: Path) -> None:
        with ExitStack() as stack:
            running = [
                subprocess.Popen(
                    [*self._ssh, host.name, script], stdin=stack.enter_context(source.open("rb"))
                )
                for host in hosts
            ]
            for process in running:
                assert process.wait(DEADLINE_S) == 0


class Pyinfra:
    """The same job by pyinfra."""

    def __init__(self, hosts: Cluster, folder: Path, wheels: Sequence[Path]) -> None:
        self._hosts, self._folder = hosts, folder
        (folder / "wheels").mkdir(parents=True)
        for wheel in wheels:
            shutil.copy(wheel, folder / "wheels" / wheel.name)
        (folder / "deploy.py").write_text(DEPLOY.format(wheels=str(folder / "wheels")))
        own = folder / "own"
        subprocess.run(["uv", "venv", "--quiet", own], check=True)
        install = ["uv", "pip", "install", "--quiet", "--compile-bytecode", f"--python={own}"]
        subprocess.run([*install, "pyinfra"], check=True)
        self._program = str(own / "bin" / "pyinfra")

    def install(self, hosts: Sequence[Host]) -> None:
        """Have it on the hosts."""
        words = {
            "addresses": [host.address for host in hosts],
            "key": str(self._hosts.identity),
            "known": str(self._hosts.ssh_config.with_name("known_hosts")),
        }
        (self._folder / "inventory.py").write_text(INVENTORY.format(**words))
        command = [self._program, "-y", "inventory.py", "deploy.py"]
        done = subprocess.run(
            command,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def measure(hosts: Cluster, ours: Ours, floor: Floor, pyinfra: Pyinfra, rounds: int) -> None:
    """Print a line for each number of hosts."""
    for count in [int(word) for word in sys.argv[2:]] or COUNTS:
        some = hosts.hosts[:count]
        times: dict[str, list[float]] = {}
        for number in range(rounds):
            theirs = None if number else pyinfra
            for name, seconds in one_round(some, ours, floor, theirs).items():
                times.setdefault(name, []).append(seconds)
        base = statistics.median(times["floor"])
        for name, each in times.items():
            ratio = statistics.median(each) / base
            shown = f"{statistics.median(each):7.3f} s ({min(each):.3f} to {max(each):.3f})"
            print(f"{count} hosts  {name:28} {shown}   {ratio:6.2f} of the floor", flush=True)
        print(f"{count} hosts  {load()}", flush=True)


def one_round(
    some: Sequence[Host], ours: Ours, floor: Floor, pyinfra: Pyinfra | None
) -> dict[str, float]:
    """Every side once."""
    times = {}
    _on_all(some, f"rm -rf {ROOT}/* /root/pyinfra")
    times["floor"] = _seconds(lambda: floor.send(some))
    times["ours fresh"] = _seconds(lambda: ours.install(some))
    if pyinfra:
        times["pyinfra fresh"] = _seconds(lambda: pyinfra.install(some))
    ours.edit()
    times["ours, a line edited"] = _seconds(lambda: ours.install(some))
    times["ours unchanged, warm"] = _seconds(lambda: ours.install(some))
    for host in some:
        host.sshd.cut()
    time.sleep(0.5)
    times["ours unchanged, cold"] = _seconds(lambda: ours.install(some))
    times["look"] = _seconds(lambda: floor.look(some))
    if pyinfra:
        times["pyinfra unchanged"] = _seconds(lambda: pyinfra.install(some))
    return times


def _on_all(hosts: Sequence[Host], script: str) -> None:
    for host in hosts:
        host.run("sh", "-c", script)


def _seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _bundle(wheels: Sequence[Path]) -> bytes:
    """The content of wheels as a compressed archive: what is shipped, in tar's form."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as content:
                for entry in content.infolist():
                    info = tarfile.TarInfo(entry.filename)
                    info.size = entry.file_size
                    archive.addfile(info, content.open(entry))
    return buffer.getvalue()


def enrolled(client: Client, hosts: Cluster) -> None:
    for host in hosts:
        client.create_host(
            host.address,
            user=host.user,
            identity_file=str(host.identity),
            trust_fingerprint=host.host_key,
        )


def shipped(ours: Ours, host: Host, store: Path) -> list[Path]:
    """The wheels that a host is sent which has nothing, in the manager's store."""
    done = {each.host: each for each in ours.install([host]).hosts}[host.address]
    stored = {path.name: path for path in sorted(store.glob("*/*.whl"), key=_size)}
    return [stored[name] for name in done.shipped_wheels]


def _size(path: Path) -> int:
    """Of two wheels of a name, the one with bytecode is larger, and is the one that is sent."""
    return path.stat().st_size


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with (
        tempfile.TemporaryDirectory() as scratch,
        cluster(max(COUNTS)) as hosts,
        running_daemon(env={"AGI_CLUSTER_SHARE": str(hosts.share)}) as daemon,
        daemon.client() as client,
    ):
        folder = Path(scratch)
        enrolled(client, hosts)
        ours = Ours(client, Path(shutil.copytree(APP, folder / APP.name)))
        wheels = shipped(ours, hosts[0], daemon.state / "wheels")
        floor, pyinfra = Floor(hosts, wheels), Pyinfra(hosts, folder / "pyinfra", wheels)
        size = sum(map(_size, wheels)) / 2**20
        stream = len(floor.bundle) / 2**20
        print(
            f"{len(wheels)} wheels, {size:.1f} MiB; the floor's stream {stream:.1f} MiB; {load()}"
        )
        measure(hosts, ours, floor, pyinfra, rounds)


if __name__ == "__main__":
    main()
