"""A wheel of a package's sources with the extension modules that were made of them.

The sources stay beside the extensions: Python prefers an extension, and tracebacks show the
author's lines.
"""

# ruff: noqa: PTH119, UP031
from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
import zipfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EPOCH = (1980, 1, 1, 0, 0, 0)


def platform_tag() -> str:
    """The tag of wheels that fit this interpreter and machine: ``cp311-cp311-linux_x86_64``."""
    short = {"cpython": "cp", "pypy": "pp"}.get(sys.implementation.name, sys.implementation.name)
    python = "%s%d%d" % (short, sys.version_info[0], sys.version_info[1])
    machine = os.uname().machine.replace("-", "_")
    return f"{python}-{python}{getattr(sys, 'abiflags', '')}-{sys.platform}_{machine}"


def repacked(pure: str, extensions: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Name and bytes of the wheel; equal contents give equal bytes.

    Args:
        pure: Path of the wheel with the sources, ``<name>-<version>-py3-none-any.whl``.
        extensions: The extension modules by their path below ``site-packages``.
    """
    tag, stem = platform_tag(), os.path.basename(pure)[: -len("-py3-none-any.whl")]
    info, records, buffer = f"{stem}.dist-info", [], io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in _kept(pure):
            records.append(_add(made, name, content))
        for name in sorted(extensions):
            records.append(_add(made, name, extensions[name], 0o755))
        facts = f"Wheel-Version: 1.0\nGenerator: agi\nRoot-Is-Purelib: false\nTag: {tag}\n"
        records.append(_add(made, f"{info}/WHEEL", facts.encode()))
        listing = "\n".join([*records, f"{info}/RECORD,,", ""])
        _add(made, f"{info}/RECORD", listing.encode())
    return f"{stem}-{tag}.whl", buffer.getvalue()


def _kept(pure: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of all that goes from the wheel of the sources into the other."""
    with zipfile.ZipFile(pure) as source:
        for name in source.namelist():
            if not name.endswith((".dist-info/WHEEL", ".dist-info/RECORD")):
                yield name, source.read(name)


def _add(archive: zipfile.ZipFile, name: str, content: bytes, mode: int = 0o644) -> str:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = (0o100000 | mode) << 16
    archive.writestr(entry, content)
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={hashed},{len(content)}"
