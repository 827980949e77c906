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
class Snippet:
    """A Python program that asks the daemon for one thing."""

    app: str
    kind: SnippetKind
    text: str
    api: str
    settings_digest: str
