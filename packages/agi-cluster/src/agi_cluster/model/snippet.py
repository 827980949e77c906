"""Generated Python."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

SNIPPET_API = "agi.snippet.v1"
"""The version of the API that snippets are written against."""


class SnippetKind(Enum):
    """What a snippet does."""

    INSTALL = "install"
    DISTRIBUTE = "distribute"
    RUN = "run"


@frozen(kw_only=True)
class SnippetFacts:
    """What a snippet was rendered from; the digests are SHA-256 in hex."""

    api: str = SNIPPET_API
    kind: SnippetKind
    app: str
    """The app's full name."""
    settings: str = ""
    """The digest of the settings."""
    selection: str = ""
    """The digest of the scheduler and the slots per host."""
    sources: str = ""
    """The digest of the app's sources."""
    plan: str = ""
    """The plan revision that it is bound to; empty: a new one each time."""
    code: str = ""
    """The digest of the code as it was recorded in a step; empty in a snippet itself."""


@frozen(kw_only=True)
class Snippet:
    """A Python program that asks the daemon for one thing."""

    app: str
    kind: SnippetKind
    text: str
    api: str
    settings_digest: str
    facts: SnippetFacts | None = None
    """All that it was rendered from."""


@frozen(kw_only=True)
class Staleness:
    """One thing that changed since something was rendered."""

    field: str
    """``settings``, ``arguments``, ``hosts``, ``sources``, ``plan`` or ``app``."""
    detail: str
    """What it was and what it is, in words."""


@frozen(kw_only=True)
class SnippetVerdict:
    """Whether a snippet is current."""

    facts: SnippetFacts
    stale: tuple[Staleness, ...] = ()

    @property
    def current(self) -> bool:
        """Nothing has changed since it was rendered."""
        return not self.stale
