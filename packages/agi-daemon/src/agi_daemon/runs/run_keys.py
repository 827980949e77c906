"""The keys with which runner and workers of one run know each other, from its start to its end."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from agi_env.atomic_file import write_atomically
from agi_env.paths import private_directory
from agi_env.runtime.cluster_keys import ClusterKeys

_FILE = "keys.json"
_SLOW_CLOCKS = timedelta(days=1)
"""How far the clock of a host may be behind."""
_LIFETIME = timedelta(days=365)


class RunKeys:
    """The keys of the runs that are not settled, readable by their user only.

    Args:
        root: The directory in which each run has its own.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def ensure(self, run_id: str) -> ClusterKeys:
        """The keys of a run, made when they are first asked for.

        Raises:
            DiskFullError, StateUnwritableError: They could not be stored.
        """
        path = self._root / run_id / _FILE
        if path.exists():
            return ClusterKeys.from_dict(json.loads(path.read_bytes()))
        keys = made(run_id)
        private_directory(self._root)
        private_directory(path.parent)
        write_atomically(path, json.dumps(keys.to_dict()).encode())
        return keys

    def forget(self, run_id: str) -> None:
        """Delete the keys of a run that is settled; that there are none is fine."""
        shutil.rmtree(self._root / run_id, ignore_errors=True)

    def held(self) -> tuple[str, ...]:
        """The runs that have keys."""
        return tuple(entry.name for entry in self._root.iterdir()) if self._root.is_dir() else ()

    def tidy(self, settled: Collection[str]) -> None:
        """Delete the keys of these runs, and those that nobody accepts any more.

        Others stay, also those of a run that the store does not know: where it was lost, the run
        may live on a host that is not enrolled again yet.
        """
        for run_id in self.held():
            if run_id in settled or self._is_void(run_id):
                self.forget(run_id)

    def _is_void(self, run_id: str) -> bool:
        path = self._root / run_id / _FILE
        return not path.exists() or time.time() - path.stat().st_mtime > _LIFETIME.total_seconds()


def made(run_id: str) -> ClusterKeys:
    """New keys, valid from a day ago. The authority's own key is forgotten at once."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer, subject = _name(f"agi run {run_id}"), _name(f"agi process of {run_id}")
    authority = (
        _certificate(issuer, issuer, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        _certificate(subject, issuer, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    return ClusterKeys(
        authority=authority.public_bytes(Encoding.PEM).decode(),
        certificate=certificate.public_bytes(Encoding.PEM).decode(),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLOW_CLOCKS)
        .not_valid_after(now + _LIFETIME)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])
