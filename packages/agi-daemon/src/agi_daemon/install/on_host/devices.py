"""The GPUs of this host, as its driver tells of them; nothing of CUDA has to be installed."""

# pathlib would add a third to the time that a check takes.
# ruff: noqa: PTH123
from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FAKE_VARIABLE = "AGI_FAKE_DEVICES"
FAKE = "fake"

_DRIVER = "/proc/driver/nvidia/version"
_OLDEST_DRIVERS = ((580, "13"), (525, "12"))
"""The oldest driver for each version of CUDA, as NVIDIA's table of minor compatibility has it."""
_QUERY = ["--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits"]
_QUERY_LIMIT_S = 20


def cuda_version(path: str = _DRIVER) -> str:
    """The newest CUDA that the loaded driver takes, such as ``12``; empty: none can be used."""
    if os.environ.get(FAKE_VARIABLE):
        return FAKE
    driver = driver_version(path)
    major = int(driver.partition(".")[0]) if driver else 0
    return next((cuda for oldest, cuda in _OLDEST_DRIVERS if major >= oldest), "")


def driver_version(path: str = _DRIVER) -> str:
    """The version of the loaded NVIDIA driver, such as ``550.54.15``; empty where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            line = file.readline()
    except OSError:
        return ""
    import re  # noqa: PLC0415 - most hosts have none

    found = re.search(r"Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)", line)
    return found.group(1) if found else ""


def devices() -> dict[str, Any]:
    """Driver, CUDA and devices, and in words why there is none to use."""
    count = os.environ.get(FAKE_VARIABLE)
    if count:
        found = [_device(str(n), f"FAKE-{n}", f"fake device {n}", "0") for n in range(int(count))]
        reason = "" if found else "the driver shows no device"
        return {"driver": FAKE, "cuda": FAKE, "devices": found, "reason": reason}
    driver, cuda = driver_version(), cuda_version()
    answer: dict[str, Any] = {"driver": driver, "cuda": cuda, "devices": [], "reason": ""}
    if not driver:
        answer["reason"] = "no NVIDIA driver is loaded"
    elif not cuda:
        answer["reason"] = f"the NVIDIA driver {driver} is older than 525, which CUDA 12 needs"
    else:
        answer["devices"], answer["reason"] = _asked()
    return answer


def parsed(text: str) -> list[dict[str, Any]]:
    """The devices in what ``nvidia-smi`` writes, a line each."""
    rows = [
        [cell.strip() for cell in line.split(",")] for line in text.splitlines() if line.strip()
    ]
    return [_device(*row) for row in rows if len(row) == 4]


def _asked() -> tuple[list[dict[str, Any]], str]:
    from agi_daemon.install.on_host.command import attempt  # noqa: PLC0415 - not for every check
    from agi_daemon.install.on_host.talk import Fault  # noqa: PLC0415

    try:
        code, out, errors = attempt(
            ["nvidia-smi", *_QUERY], {}, "nvidia-smi", limit_s=_QUERY_LIMIT_S
        )
    except FileNotFoundError:
        return [], "nvidia-smi is not on the PATH of this login"
    except Fault as fault:
        return [], str(fault)
    found = parsed(out) if code == 0 else []
    said = (errors or out).strip().splitlines()
    return found, "" if found else f"nvidia-smi shows no device: {' '.join(said[:1]) or code}"


def _device(index: str, uuid: str, name: str, mebibytes: str) -> dict[str, Any]:
    memory = int(mebibytes) * 1024 * 1024 if mebibytes.isdigit() else 0
    return {"index": index, "uuid": uuid, "name": name, "memory_bytes": memory}
