"""The comments at the head of a snippet, in which it says what it was rendered from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agi_cluster.model.snippet import SNIPPET_API, SnippetFacts, SnippetKind
from agi_env.errors import RequestInvalidError, SnippetApiError

_API = "snippet_api"
_NAMES = ("settings", "selection", "sources", "plan")
_LINE = re.compile(r"# (?P<name>[a-z_]+): (?P<value>\S+)\s*")


def head(facts: SnippetFacts) -> list[str]:
    """The lines that say it, beside the version of the API."""
    known = {"kind": facts.kind.value, "app": facts.app}
    known |= {name: getattr(facts, name) for name in _NAMES}
    return [f"# {name}: {value}" for name, value in known.items() if value]


def read(text: str) -> SnippetFacts:
    """What a generated snippet says that it was rendered from.

    Raises:
        SnippetApiError: It is written against a version of the API that is not ours.
        RequestInvalidError: It says nothing of the kind.
    """
    found = dict(_facts(text))
    api = found.get(_API, "")
    if api and api != SNIPPET_API:
        raise SnippetApiError(
            f"the snippet is written against {api}, and this daemon knows {SNIPPET_API}",
            where="snippet",
            metadata={"api": api, "known": SNIPPET_API},
        )
    try:
        kind = SnippetKind(found.get("kind"))
        return SnippetFacts(
            api=api, kind=kind, app=found["app"], **{name: found.get(name, "") for name in _NAMES}
        )
    except (ValueError, KeyError):
        raise RequestInvalidError(
            "its head does not say what it was rendered from",
            where="snippet",
            remedy="Give a program that `agi snippet` wrote; `agi pipeline add` takes any other",
        ) from None


def _facts(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        match = _LINE.fullmatch(line)
        if match:
            yield match["name"], match["value"]
