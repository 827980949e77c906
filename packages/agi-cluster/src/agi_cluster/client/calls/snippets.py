"""The calls of ``SnippetService``."""

from __future__ import annotations

from agi_cluster.api.v1 import snippets_pb2 as pb
from agi_cluster.api.v1.snippets_pb2_grpc import SnippetServiceStub
from agi_cluster.client.call import Call
from agi_cluster.model.snippet import Snippet, SnippetKind, SnippetVerdict
from agi_cluster.wire.message import checked
from agi_cluster.wire.snippet import snippet_from_wire, snippet_kind_to_wire, verdict_from_wire


def render_snippet(
    app: str, kind: SnippetKind, *, plan: str = "", notebook: bool = False
) -> Call[Snippet]:
    """A snippet rendered from an app's current settings."""
    request = checked(pb.RenderSnippetRequest)(
        app=app, kind=snippet_kind_to_wire(kind), plan=plan, notebook=notebook
    )
    return Call(
        stub=SnippetServiceStub, rpc="RenderSnippet", request=request, parse=snippet_from_wire
    )


def verify_snippet(text: str) -> Call[SnippetVerdict]:
    """Whether a generated snippet still says what settings, sources and plans do."""
    request = checked(pb.VerifySnippetRequest)(text=text)
    return Call(
        stub=SnippetServiceStub, rpc="VerifySnippet", request=request, parse=verdict_from_wire
    )
