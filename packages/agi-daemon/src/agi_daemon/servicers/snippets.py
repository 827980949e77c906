"""``agi.v1.SnippetService``."""

from __future__ import annotations

from agi_cluster.api.v1 import snippets_pb2 as pb
from agi_cluster.api.v1 import snippets_pb2_grpc
from agi_cluster.model.services import SnippetService
from agi_cluster.wire.name import app_reference
from agi_cluster.wire.snippet import snippet_kind_from_wire, snippet_to_wire, verdict_to_wire
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers import fields


class SnippetServicer(snippets_pb2_grpc.SnippetServiceServicer):
    """Offers the snippets of a core."""

    def __init__(self, snippets: SnippetService) -> None:
        self._snippets = snippets

    async def RenderSnippet(self, request: pb.RenderSnippetRequest, context: Context) -> pb.Snippet:
        kind = snippet_kind_from_wire(request.kind)
        snippet = await self._snippets.render_snippet(
            app_reference(request.app), kind, plan=request.plan, notebook=request.notebook
        )
        return snippet_to_wire(snippet)

    async def VerifySnippet(
        self, request: pb.VerifySnippetRequest, context: Context
    ) -> pb.SnippetVerdict:
        text = fields.required(request.text, "text")
        return verdict_to_wire(await self._snippets.verify_snippet(text))
