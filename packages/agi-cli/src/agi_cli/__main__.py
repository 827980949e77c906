"""``python -m agi_cli`` is ``agi``."""

from __future__ import annotations

from agi_cli.main import main

if __name__ == "__main__":
    main()
