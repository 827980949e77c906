"""What the daemon serves, as descriptors: for reflection, and where a library's are too old.

Importing this costs some 40 ms (``google.protobuf.descriptor_pb2``): only who is asked does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from agi_cluster.api.v1 import (
    apps_pb2,
    daemon_pb2,
    doctor_pb2,
    hosts_pb2,
    installations_pb2,
    pipeline_runs_pb2,
    pipelines_pb2,
    plans_pb2,
    releases_pb2,
    runs_pb2,
    snippets_pb2,
)

_FILES: Sequence[Any] = (
    apps_pb2.DESCRIPTOR,
    daemon_pb2.DESCRIPTOR,
    doctor_pb2.DESCRIPTOR,
    hosts_pb2.DESCRIPTOR,
    installations_pb2.DESCRIPTOR,
    pipeline_runs_pb2.DESCRIPTOR,
    pipelines_pb2.DESCRIPTOR,
    plans_pb2.DESCRIPTOR,
    releases_pb2.DESCRIPTOR,
    runs_pb2.DESCRIPTOR,
    snippets_pb2.DESCRIPTOR,
    health_pb2.DESCRIPTOR,
    reflection_pb2.DESCRIPTOR,
)


@cache
def served_files() -> DescriptorPool:
    """A pool of exactly the files that the daemon serves and those they import."""
    pool = DescriptorPool()
    added: set[str] = set()
    for file in _FILES:
        _add(pool, file, added)
    return pool


def message_class(full_name: str) -> type[Message]:
    """The class of a message of these files; it is not the one that generated code has."""
    return GetMessageClass(served_files().FindMessageTypeByName(full_name))


def _add(pool: DescriptorPool, file: Any, added: set[str]) -> None:
    if file.name in added:
        return
    for dependency in file.dependencies:
        _add(pool, dependency, added)
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    if file.name == health_pb2.DESCRIPTOR.name:
        _complete_health(proto)
    pool.Add(proto)
    added.add(file.name)


def _complete_health(file: FileDescriptorProto) -> None:
    """Add List as upstream's health.proto has it, unless the installed one knows it already."""
    if any(message.name == "HealthListRequest" for message in file.message_type):
        return
    file.message_type.add(name="HealthListRequest")
    answer = file.message_type.add(name="HealthListResponse")
    entry = answer.nested_type.add(name="StatusesEntry")
    entry.options.map_entry = True
    kinds = FieldDescriptorProto
    entry.field.add(name="key", number=1, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    entry.field.add(
        name="value",
        number=2,
        type=kinds.TYPE_MESSAGE,
        label=kinds.LABEL_OPTIONAL,
        type_name=".grpc.health.v1.HealthCheckResponse",
    )
    answer.field.add(
        name="statuses",
        number=1,
        type=kinds.TYPE_MESSAGE,
        label=kinds.LABEL_REPEATED,
        type_name=".grpc.health.v1.HealthListResponse.StatusesEntry",
    )
    file.service[0].method.add(
        name="List",
        input_type=".grpc.health.v1.HealthListRequest",
        output_type=".grpc.health.v1.HealthListResponse",
    )
