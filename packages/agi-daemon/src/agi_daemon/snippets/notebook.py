"""A Jupyter notebook of the three snippets: equal snippets give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_HEAD = """\
# {app}

Install the app's worker runtime, look at how its work is distributed, run it: a cell each. The
kernel needs `agi-cluster`; the daemon is the one that `AGI_ADDRESS` names, or this user's own."""


def notebook(app: str, cells: Sequence[tuple[str, str]]) -> str:
    """The notebook's text, in format 4.5.

    Args:
        app: The app's full name.
        cells: The name and the code of each cell.
    """
    made = [_cell("head", "markdown", _HEAD.format(app=app))]
    made += [_cell(name, "code", code, execution_count=None, outputs=[]) for name, code in cells]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _cell(name: str, kind: str, text: str, **more: Any) -> dict[str, Any]:
    source = text.rstrip("\n").splitlines(keepends=True)
    return {"cell_type": kind, "id": name, "metadata": {}, "source": source, **more}
