"""The GPU that an executor computes on, and the module of arrays that goes with it.

``python -m agi_env.runtime.devices`` proves that the devices of a host work: it imports CuPy, runs
a kernel on each, and writes ``{"devices": [...], "arrays": "cupy 14.0"}`` or ``{"error": "..."}``.

Where ``AGI_FAKE_DEVICES`` is a number, that many devices are pretended, for tests on machines
without one: `FakeDevices` then stands for `CudaDevices`, computes with numpy where the app has it,
and everything that it touches is called fake.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

from agi_env.mode import Mode

FAKE_VARIABLE = "AGI_FAKE_DEVICES"
"""How many devices are pretended; unset or empty: none, the real ones count."""

VISIBLE_VARIABLE = "CUDA_VISIBLE_DEVICES"
"""The variable by which CUDA is told which devices there are for a process."""

_SIDE = 1000


class DeviceError(Exception):
    """A device that cannot be used; the message says why."""


class DeviceLayer(Protocol):
    """What is between an executor and the devices of its host."""

    def arrays(self) -> ModuleType:
        """The module of arrays that live on the device.

        Raises:
            DeviceError: It cannot be imported.
        """
        ...

    def names(self) -> list[str]:
        """The names of the devices that this process sees, each proved by a kernel that ran.

        Raises:
            DeviceError: There is none, or one does not compute.
        """
        ...


class CudaDevices:
    """The NVIDIA devices that this process sees, through CuPy."""

    def arrays(self) -> ModuleType:
        """CuPy."""
        try:
            return import_module("cupy")
        except Exception as error:  # a driver too old fails as it likes; the reason is passed on
            raise DeviceError(f"CuPy cannot be imported: {_words(error)}") from error

    def names(self) -> list[str]:
        """The names that the driver gives them."""
        cupy: Any = self.arrays()
        try:
            return [self._proved(cupy, number) for number in range(_count(cupy))]
        except DeviceError:
            raise
        except Exception as error:  # CUDA's errors are those of whichever library met them
            raise DeviceError(f"a kernel does not run: {_words(error)}") from error

    def _proved(self, cupy: Any, number: int) -> str:
        with cupy.cuda.Device(number):
            total = int((cupy.arange(_SIDE, dtype=cupy.int64) * 2).sum())
        if total != _SIDE * (_SIDE - 1):
            raise DeviceError(f"device {number} computes wrongly: {total}")
        name: str = cupy.cuda.runtime.getDeviceProperties(number)["name"].decode()
        return name


class FakeDevices:
    """Pretended devices: arrays of numpy, on the processor."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ

    def arrays(self) -> ModuleType:
        """Numpy."""
        try:
            return import_module("numpy")
        except ImportError as error:
            raise DeviceError(f"fake devices take numpy: {_words(error)}") from error

    def names(self) -> list[str]:
        """The visible ones, as ``fake device 1``."""
        every = [str(number) for number in range(int(self._environ[FAKE_VARIABLE]))]
        seen = self._environ.get(VISIBLE_VARIABLE)
        chosen = every if seen is None else [each for each in seen.split(",") if each in every]
        if not chosen:
            raise DeviceError(f"no device {seen or 'at all'} is among the fake ones")
        return [f"fake device {number}" for number in chosen]


def device_layer(environ: Mapping[str, str] = os.environ) -> DeviceLayer:
    """The layer of this process."""
    return FakeDevices(environ) if environ.get(FAKE_VARIABLE) else CudaDevices()


def array_module(mode: int) -> ModuleType:
    """The module of arrays in this mode: CuPy with the rapids bit, else numpy.

    Raises:
        ModuleNotFoundError: The app does not declare numpy.
        DeviceError: CuPy cannot be imported.
    """
    if Mode.RAPIDS in Mode(mode):
        return device_layer().arrays()
    return import_module("numpy")


def proof() -> dict[str, str]:
    """The device of this executor and its arrays, for the journal.

    Raises:
        DeviceError: The device does not compute.
    """
    layer = device_layer()
    (name, *_), fake = layer.names(), isinstance(layer, FakeDevices)
    try:
        arrays = layer.arrays()
    except DeviceError:
        if not fake:
            raise
        return {"device": name, "arrays": "none"}
    version = f"{arrays.__name__} {getattr(arrays, '__version__', '')}".strip()
    return {"device": name, "arrays": version}


def main() -> int:
    """Run as a program."""
    try:
        report: dict[str, Any] = {**proof(), "devices": device_layer().names()}
    except DeviceError as error:
        report = {"error": str(error)}
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


def _count(cupy: Any) -> int:
    count: int = cupy.cuda.runtime.getDeviceCount()
    if not count:
        raise DeviceError("CuPy sees no device")
    return count


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


if __name__ == "__main__":
    sys.exit(main())
