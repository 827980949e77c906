"""A wheel made directly from a source tree: equal sources give equal bytes.

The format is that of the binary distribution specification,
https://packaging.python.org/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import zipfile
from collections.abc import Sequence
from email.message import Message
from pathlib import Path

from attrs import frozen

import agi_env
from agi_daemon.install.release import digest_of
from agi_daemon.install.sources import SourceDigests, SourceFile
from agi_daemon.install.wheel_store import Wheel, WheelStore

_EPOCH = (1980, 1, 1, 0, 0, 0)
_WHEEL = "Wheel-Version: 1.0\nGenerator: agi\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_COPIED_FIELDS = ("Requires-Python", "Provides-Extra", "Requires-Dist")


@frozen
class PureWheel:
    """A wheel that is still a list of files.

    Attributes:
        name: Name of the distribution, with ``_`` for ``-``.
        version: Its version.
        metadata: Content of ``METADATA``.
        files: What it carries, named as it will be below ``site-packages``.
    """

    name: str
    version: str
    metadata: str
    files: tuple[SourceFile, ...]

    @property
    def filename(self) -> str:
        """The wheel's name as a file."""
        return f"{self.name}-{self.version}-py3-none-any.whl"

    @property
    def digest(self) -> str:
        """Equal for what would give equal bytes."""
        files = [(file.name, file.digest) for file in self.files]
        return digest_of(["pure-wheel.v1", self.filename, self.metadata, files])

    def stored_in(self, store: WheelStore) -> Wheel:
        """The wheel in the store, made now if these sources never were."""
        wheel = store.recall(self.digest)
        if wheel is None:
            wheel = store.put(self.filename, self.to_bytes())
            store.remember(self.digest, wheel)
        return wheel

    def to_bytes(self) -> bytes:
        """The wheel's bytes."""
        info, records = f"{self.name}-{self.version}.dist-info", []
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in self.files:
                content = file.path.read_bytes()
                records.append(_add(archive, file.name, content, 0o755 if file.executable else 0))
            for name, text in (("METADATA", self.metadata), ("WHEEL", _WHEEL)):
                records.append(_add(archive, f"{info}/{name}", text.encode()))
            listing = "\n".join([*records, f"{info}/RECORD,,", ""])
            _add(archive, f"{info}/RECORD", listing.encode())
        return buffer.getvalue()


def app_wheel(target: str, files: Sequence[SourceFile], part: str = "app") -> PureWheel:
    """The wheel of an app's own packages, or of a part of them, versioned by their content."""
    name = f"{target}_{part}"
    version = f"0+{digest_of([(file.name, file.digest) for file in files])[:12]}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    return PureWheel(name, version, metadata, tuple(files))


def runtime_wheel(sources: SourceDigests) -> PureWheel:
    """The wheel of ``agi_env`` as this process imports it, with the requirements it declares."""
    facts = importlib.metadata.metadata("agi-env")
    return PureWheel("agi_env", facts["Version"], _runtime_metadata(facts), _runtime_files(sources))


def runtime_requirements() -> tuple[str, ...]:
    """What ``agi_env`` requires, extras included, as it declares it."""
    return tuple(sorted(importlib.metadata.requires("agi-env") or ()))


def _runtime_files(sources: SourceDigests) -> tuple[SourceFile, ...]:
    root = Path(agi_env.__file__).parent
    return tuple(
        SourceFile(f"{root.name}/{file.name}", file.path, file.executable, file.sha256)
        for file in sources.tree(root)
    )


def _runtime_metadata(facts: importlib.metadata.PackageMetadata) -> str:
    copy = Message()
    copy["Metadata-Version"] = "2.1"
    copy["Name"], copy["Version"] = facts["Name"], facts["Version"]
    for name in _COPIED_FIELDS:
        for value in sorted(facts.get_all(name) or ()):
            copy[name] = value
    return copy.as_string()


def _add(archive: zipfile.ZipFile, name: str, content: bytes, mode: int = 0) -> str:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = (0o100000 | (mode or 0o644)) << 16
    archive.writestr(entry, content)
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    quoted = f'"{name}"' if "," in name else name
    return f"{quoted},sha256={hashed},{len(content)}"
