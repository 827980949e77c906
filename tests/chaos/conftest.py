"""Makes the harness importable, as it is for ``python tests/chaos/round.py``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
