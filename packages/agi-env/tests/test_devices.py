"""The devices of an executor, pretended and absent, and the proof that a worker is compiled."""

from __future__ import annotations

import json
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import pytest

from agi_env.mode import Mode
from agi_env.runtime import devices
from agi_env.runtime.app_class import AppClassError
from agi_env.runtime.app_context import AppContext
from agi_env.runtime.base_worker import BaseWorker
from agi_env.runtime.causes import FailureKind
from agi_env.runtime.compiled_worker import compiled_module
from agi_env.runtime.devices import CudaDevices, DeviceError, FakeDevices, device_layer


class SumWorker(BaseWorker):
    def work(self, partition, out):
        return int(self.xp.arange(partition).sum())


def worker(mode: Mode) -> SumWorker:
    return SumWorker(AppContext("a_project", "a", mode, 0, Path("/in"), Path("/out")))


def test_the_layer_is_the_real_one_unless_devices_are_pretended() -> None:
    assert isinstance(device_layer({}), CudaDevices)
    assert isinstance(device_layer({"AGI_FAKE_DEVICES": "2"}), FakeDevices)


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["fake device 0", "fake device 1"]),
        ("1", ["fake device 1"]),
        ("1,0", ["fake device 1", "fake device 0"]),
    ],
)
def test_a_process_sees_the_pretended_devices_that_it_is_bound_to(
    visible: str | None, names: list[str]
) -> None:
    bound = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert FakeDevices({"AGI_FAKE_DEVICES": "2", **bound}).names() == names


def test_a_device_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DeviceError, match="no device 7"):
        FakeDevices({"AGI_FAKE_DEVICES": "2", "CUDA_VISIBLE_DEVICES": "7"}).names()


def test_without_cupy_the_reason_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert devices.main() == 0
    assert "cupy" in json.loads(capsys.readouterr().out)["error"]
    with pytest.raises(DeviceError, match="CuPy cannot be imported"):
        CudaDevices().names()


def test_one_work_serves_both_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numpy")
    assert worker(Mode.PLAIN).work(4, Path()) == 6
    with pytest.raises(DeviceError):
        worker(Mode.RAPIDS).work(4, Path())
    monkeypatch.setenv("AGI_FAKE_DEVICES", "1")
    assert worker(Mode.RAPIDS).work(4, Path()) == 6
    proof = devices.proof()
    assert proof["device"] == "fake device 0" and proof["arrays"].startswith("numpy ")


def imported(monkeypatch: pytest.MonkeyPatch, name: str, file: str) -> None:
    module = ModuleType(name)
    module.__file__ = file
    monkeypatch.setitem(sys.modules, name, module)


def test_a_worker_is_compiled_when_all_its_modules_are(monkeypatch: pytest.MonkeyPatch) -> None:
    suffix = EXTENSION_SUFFIXES[0]
    imported(monkeypatch, "fast_worker.fast_worker", f"/b/fast_worker/fast_worker{suffix}")
    assert compiled_module("fast") == f"/b/fast_worker/fast_worker{suffix}"
    imported(monkeypatch, "fast_worker.helper", "/b/fast_worker/helper.py")
    with pytest.raises(AppClassError, match=r"fast_worker\.helper is no extension") as caught:
        compiled_module("fast")
    assert caught.value.kind is FailureKind.NOT_COMPILED
