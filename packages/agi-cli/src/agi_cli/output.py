"""Results as JSON: protobuf's JSON mapping of the API's own messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import field, frozen
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from agi_cluster.api.v1 import apps_pb2, hosts_pb2, plans_pb2, runs_pb2
from agi_cluster.model.app import App, AppSettings
from agi_cluster.model.daemon import DaemonInfo
from agi_cluster.model.host import Host
from agi_cluster.model.installation import Installation
from agi_cluster.model.plan import Plan, PlannedPartition
from agi_cluster.model.run import Run, RunPartition
from agi_cluster.model.snippet import Snippet
from agi_cluster.wire.app import app_to_wire, settings_to_wire
from agi_cluster.wire.daemon import daemon_to_wire
from agi_cluster.wire.host import host_to_wire
from agi_cluster.wire.installation import installation_to_wire
from agi_cluster.wire.plan import plan_to_wire, planned_partition_to_wire
from agi_cluster.wire.run import run_to_wire
from agi_cluster.wire.run_partition import run_partition_to_wire
from agi_cluster.wire.snippet import snippet_to_wire
