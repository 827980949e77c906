"""Planning: where partitions go, how good that is, what is doubtful about it, what changed.

Placement, bounds, lint and differences are pure: values in, values out, and the same on every
machine.
"""

from __future__ import annotations

from agi_daemon.planning.lint import Finding, LintCode, lint_plan
from agi_daemon.planning.outline import Outline
from agi_daemon.planning.placement import Placement, place
from agi_daemon.planning.slots import Slot

__all__ = ["Finding", "LintCode", "Outline", "Placement", "Slot", "lint_plan", "place"]
