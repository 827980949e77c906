"""Fixtures of every test that wants hosts: a cluster that is whole again after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hosts.cluster import Cluster, cluster
from hosts.programs import UnavailableError


@pytest.fixture(scope="session")
def shared_hosts() -> Iterator[Cluster]:
    """Four hosts for the whole session; take `hosts` where a test breaks anything."""
    try:
        made = cluster(4)
        hosts = made.__enter__()
    except UnavailableError as error:
        pytest.skip(str(error))
    try:
        yield hosts
    finally:
        made.__exit__(None, None, None)


@pytest.fixture
def hosts(shared_hosts: Cluster) -> Iterator[Cluster]:
    """The same four, healthy: what a test breaks is mended after it."""
    yield shared_hosts
    shared_hosts.heal()
