"""What holds for all tests: the hosts they may want, and no haste with property tests."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["hosts.plugin"]

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
