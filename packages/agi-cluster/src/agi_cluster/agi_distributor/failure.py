"""How the facade raises what went wrong in a run or an installation."""

from __future__ import annotations

from agi_env.errors import AgiError


def marked(error: AgiError, outcome: str, **facts: str) -> AgiError:
    """The error with facts for programs in its metadata and the outcome, as text, in its notes.

    Args:
        error: The error to raise.
        outcome: What a person sees below the error: what was done, and what was kept.
        facts: Such as ``run="..."``; empty ones are left out.
    """
    error.metadata |= {key: value for key, value in facts.items() if value}
    error.add_note(outcome)
    return error
