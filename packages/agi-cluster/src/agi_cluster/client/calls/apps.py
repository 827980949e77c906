"""The calls of ``AppService``."""

from __future__ import annotations

from collections.abc import Sequence

from agi_cluster.api.v1 import apps_pb2 as pb
from agi_cluster.api.v1.apps_pb2_grpc import AppServiceStub
from agi_cluster.client.call import Call, new_request_id
from agi_cluster.client.deadlines import Pace
from agi_cluster.model.app import App, AppSettings, SettingChange
from agi_cluster.model.page import Page
from agi_cluster.wire.app import app_from_wire, setting_change_to_wire, settings_from_wire
from agi_cluster.wire.message import checked
from agi_cluster.wire.page import page_from_wire


def list_apps(*, page_size: int = 0, page_token: str = "") -> Call[Page[App]]:
    """A page of the registered apps, by name."""
    request = checked(pb.ListAppsRequest)(page_size=page_size, page_token=page_token)
    return Call(stub=AppServiceStub, rpc="ListApps", request=request, parse=_page)


def get_app(app: str) -> Call[App]:
    """One app."""
    request = checked(pb.GetAppRequest)(name=app)
    return Call(stub=AppServiceStub, rpc="GetApp", request=request, parse=app_from_wire)


def register_app(
    path: str, *, replace: bool = False, request_id: str = "", validate_only: bool = False
) -> Call[App]:
    """Register an app's folder, given by its absolute path."""
    request = checked(pb.RegisterAppRequest)(
        request_id=new_request_id(request_id),
        path=path,
        replace=replace,
        validate_only=validate_only,
    )
    return Call(
        stub=AppServiceStub,
        rpc="RegisterApp",
        request=request,
        parse=app_from_wire,
        pace=Pace.CHANGE,
    )


def create_app(
    app_id: str, directory: str, *, request_id: str = "", validate_only: bool = False
) -> Call[App]:
    """Make a new app from the template, in a directory given by its absolute path."""
    request = checked(pb.CreateAppRequest)(
        request_id=new_request_id(request_id),
        app_id=app_id,
        directory=directory,
        validate_only=validate_only,
    )
    return Call(
        stub=AppServiceStub,
        rpc="CreateApp",
        request=request,
        parse=app_from_wire,
        pace=Pace.CHANGE,
    )


def get_settings(app: str) -> Call[AppSettings]:
    """The user's settings of an app."""
    request = checked(pb.GetSettingsRequest)(name=app)
    return Call(stub=AppServiceStub, rpc="GetSettings", request=request, parse=settings_from_wire)


def update_settings(
    app: str,
    changes: Sequence[SettingChange],
    *,
    etag: str = "",
    request_id: str = "",
    validate_only: bool = False,
) -> Call[AppSettings]:
    """Change single keys of the settings, all or none."""
    request = checked(pb.UpdateSettingsRequest)(
        request_id=new_request_id(request_id),
        name=app,
        changes=[setting_change_to_wire(change) for change in changes],
        etag=etag,
        validate_only=validate_only,
    )
    return Call(
        stub=AppServiceStub,
        rpc="UpdateSettings",
        request=request,
        parse=settings_from_wire,
        pace=Pace.CHANGE,
    )


def reset_settings(
    app: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
) -> Call[AppSettings]:
    """Make the settings anew from the app's own."""
    request = checked(pb.ResetSettingsRequest)(
        request_id=new_request_id(request_id), name=app, etag=etag, validate_only=validate_only
    )
    return Call(
        stub=AppServiceStub,
        rpc="ResetSettings",
        request=request,
        parse=settings_from_wire,
        pace=Pace.CHANGE,
    )


def _page(response: pb.ListAppsResponse) -> Page[App]:
    return page_from_wire(response.apps, response.next_page_token, app_from_wire)
