"""The chaos harness: seeded workloads, seeded faults, and invariants that hold all the same."""

from __future__ import annotations

import sys
from pathlib import Path

# The test hosts, which are beside it; pytest knows where they are, ``round.py`` does not.
sys.path.append(str(Path(__file__).parents[2]))
