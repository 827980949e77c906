"""Generated Python."""

from __future__ import annotations

from agi_cluster.api.v1 import snippets_pb2 as pb
from agi_cluster.model.snippet import (
    Snippet,
    SnippetFacts,
    SnippetKind,
    SnippetVerdict,
    Staleness,
)
from agi_cluster.wire.name import app_reference
from agi_cluster.wire.state import enum_from_wire, enum_to_wire


def snippet_to_wire(snippet: Snippet) -> pb.Snippet:
    """The snippet as a message."""
    return pb.Snippet(
        app=f"apps/{snippet.app}",
        kind=snippet_kind_to_wire(snippet.kind),
        text=snippet.text,
        api=snippet.api,
        settings_digest=snippet.settings_digest,
        facts=facts_to_wire(snippet.facts),
    )


def snippet_from_wire(snippet: pb.Snippet) -> Snippet:
    """The snippet in a message."""
    return Snippet(
        app=app_reference(snippet.app),
        kind=snippet_kind_from_wire(snippet.kind),
        text=snippet.text,
        api=snippet.api,
        settings_digest=snippet.settings_digest,
        facts=facts_from_wire(snippet.facts) if snippet.HasField("facts") else None,
    )


def facts_to_wire(facts: SnippetFacts | None) -> pb.SnippetFacts | None:
    """The facts as a message; None leaves the field unset."""
    if facts is None:
        return None
    return pb.SnippetFacts(
        api=facts.api,
        kind=snippet_kind_to_wire(facts.kind),
        app=f"apps/{facts.app}",
        settings=facts.settings,
        selection=facts.selection,
        sources=facts.sources,
        plan=facts.plan,
        code=facts.code,
    )


def facts_from_wire(facts: pb.SnippetFacts) -> SnippetFacts:
    """The facts in a message."""
    return SnippetFacts(
        api=facts.api,
        kind=snippet_kind_from_wire(facts.kind),
        app=app_reference(facts.app),
        settings=facts.settings,
        selection=facts.selection,
        sources=facts.sources,
        plan=facts.plan,
        code=facts.code,
    )


def verdict_to_wire(verdict: SnippetVerdict) -> pb.SnippetVerdict:
    """The verdict as a message."""
    return pb.SnippetVerdict(
        facts=facts_to_wire(verdict.facts),
        current=verdict.current,
        stale=[staleness_to_wire(each) for each in verdict.stale],
    )


def verdict_from_wire(verdict: pb.SnippetVerdict) -> SnippetVerdict:
    """The verdict in a message."""
    return SnippetVerdict(
        facts=facts_from_wire(verdict.facts),
        stale=tuple(staleness_from_wire(each) for each in verdict.stale),
    )


def staleness_to_wire(staleness: Staleness) -> pb.Staleness:
    """What changed, as a message."""
    return pb.Staleness(field=staleness.field, detail=staleness.detail)


def staleness_from_wire(staleness: pb.Staleness) -> Staleness:
    """What changed, in a message."""
    return Staleness(field=staleness.field, detail=staleness.detail)


def snippet_kind_to_wire(kind: SnippetKind) -> pb.Snippet.Kind.ValueType:
    """The kind as a number."""
    number: pb.Snippet.Kind.ValueType = enum_to_wire(pb.Snippet.Kind, kind)
    return number


def snippet_kind_from_wire(number: int) -> SnippetKind:
    """The kind with a number.

    Raises:
        RequestInvalidError: It is unspecified or unknown.
    """
    return enum_from_wire(SnippetKind, pb.Snippet.Kind, number)
