"""What ``agi`` ends with.

Every error of the catalogue carries its own exit code, see `agi_env.errors`; a wrong command line
is one of them (``REQUEST_INVALID``, 4). A run that failed ends with the code of its error, a run
that was cancelled with 12. The codes here are those that are no error.
"""

from __future__ import annotations

OK = 0
"""It was done."""

DETACHED = 130
"""Ctrl-C. What was watched goes on, so its outcome is not known and nothing that follows in a
script may take it for a success."""

PIPE_CLOSED = 141
"""Nobody reads our output any more, as with ``agi runs list | head -1``: 128 + SIGPIPE."""
