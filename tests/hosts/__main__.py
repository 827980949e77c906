"""Brings up hosts to try things on, until Ctrl-C: ``scripts/test-hosts 4``."""

from __future__ import annotations

import argparse
import signal
from contextlib import suppress
from pathlib import Path

from hosts import Cluster, cluster

TEXT = """\
export AGI_CLUSTER_SHARE={share}
chmod 600 {identity}; ssh-add {identity}    # or: -i {identity}
{adds}
Look at one:  ssh -F {config} host1
Ctrl-C ends them and whatever is on them.
"""


def main() -> None:
    """Bring up as many as are asked for."""
    parser = argparse.ArgumentParser(prog="scripts/test-hosts", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=4, help="how many (default: 4)")
    parser.add_argument("--share", type=Path, help="the shared directory (default: a new one)")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), cluster(asked.count, share=asked.share) as made:
        print(description(made), flush=True)
        signal.pause()


def description(made: Cluster) -> str:
    """What to type to use the hosts."""
    adds = [
        f"agi hosts add root@{host.address} --trust-fingerprint {host.host_key}" for host in made
    ]
    words = {"share": made.share, "identity": made.identity, "config": made.ssh_config}
    return TEXT.format(adds="\n".join(adds), **words)


if __name__ == "__main__":
    main()
