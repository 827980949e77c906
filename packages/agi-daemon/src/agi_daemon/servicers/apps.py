"""``agi.v1.AppService``."""

from __future__ import annotations

from agi_cluster.api.v1 import apps_pb2 as pb
from agi_cluster.api.v1 import apps_pb2_grpc
from agi_cluster.model.services import AppService
from agi_cluster.wire.app import app_to_wire, setting_change_from_wire, settings_to_wire
from agi_cluster.wire.name import app_reference
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers import fields


class AppServicer(apps_pb2_grpc.AppServiceServicer):
    """Offers the apps of a core."""

    def __init__(self, apps: AppService) -> None:
        self._apps = apps

    async def ListApps(self, request: pb.ListAppsRequest, context: Context) -> pb.ListAppsResponse:
        page = await self._apps.list_apps(**fields.page(request))
        apps = [app_to_wire(app) for app in page.items]
        return pb.ListAppsResponse(apps=apps, next_page_token=page.next_page_token)

    async def GetApp(self, request: pb.GetAppRequest, context: Context) -> pb.App:
        return app_to_wire(await self._apps.get_app(app_reference(request.name)))

    async def RegisterApp(self, request: pb.RegisterAppRequest, context: Context) -> pb.App:
        path = fields.absolute_path(request.path, "path")
        app = await self._apps.register_app(
            path, replace=request.replace, **fields.mutation(request)
        )
        return app_to_wire(app)

    async def CreateApp(self, request: pb.CreateAppRequest, context: Context) -> pb.App:
        app_id = fields.required(request.app_id, "app_id")
        directory = fields.absolute_path(request.directory, "directory")
        return app_to_wire(
            await self._apps.create_app(app_id, directory, **fields.mutation(request))
        )

    async def GetSettings(self, request: pb.GetSettingsRequest, context: Context) -> pb.Settings:
        return settings_to_wire(await self._apps.get_settings(app_reference(request.name)))

    async def UpdateSettings(
        self, request: pb.UpdateSettingsRequest, context: Context
    ) -> pb.Settings:
        settings = await self._apps.update_settings(
            app_reference(request.name),
            [setting_change_from_wire(change) for change in request.changes],
            etag=request.etag,
            **fields.mutation(request),
        )
        return settings_to_wire(settings)

    async def ResetSettings(
        self, request: pb.ResetSettingsRequest, context: Context
    ) -> pb.Settings:
        settings = await self._apps.reset_settings(
            app_reference(request.name), etag=request.etag, **fields.mutation(request)
        )
        return settings_to_wire(settings)
