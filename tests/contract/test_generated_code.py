"""The committed code of the API is what the contract generates."""

from __future__ import annotations

import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
COMMITTED = REPOSITORY / "packages" / "agi-cluster" / "src" / "agi_cluster" / "api" / "v1"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def texts(folder: Path) -> dict[str, str]:
    return {
        path.name: path.read_text(encoding="utf-8")
        for pattern in GENERATED
        for path in folder.glob(pattern)
    }


def test_generating_the_api_anew_changes_nothing(tmp_path: Path) -> None:
    command = [REPOSITORY / "scripts" / "generate-api", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    fresh = texts(tmp_path / "agi_cluster" / "api" / "v1")
    assert fresh
    assert fresh == texts(COMMITTED), "run scripts/generate-api"


def test_every_proto_file_has_its_code() -> None:
    protos = {path.stem for path in (REPOSITORY / "proto" / "agi_cluster" / "api" / "v1").iterdir()}
    assert {f"{proto}_pb2.py" for proto in protos} <= texts(COMMITTED).keys()
