"""Real hosts on one machine, for tests: ``with cluster(4) as hosts``; see docs/test-hosts.md."""

from __future__ import annotations

from hosts.cluster import Cluster, cluster
from hosts.host import Host

__all__ = ["Cluster", "Host", "cluster"]
