"""Generated Python."""

from __future__ import annotations

from agi_cluster.api.v1 import snippets_pb2 as pb
from agi_cluster.model.snippet import Snippet, SnippetKind
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
    )


def snippet_from_wire(snippet: pb.Snippet) -> Snippet:
    """The snippet in a message."""
    return Snippet(
        app=app_reference(snippet.app),
        kind=snippet_kind_from_wire(snippet.kind),
        text=snippet.text,
        api=snippet.api,
        settings_digest=snippet.settings_digest,
    )


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
