"""A host's public key: what proves that a host is the one that was accepted."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Self

from attrs import frozen

from agi_env.errors import InvalidInputError


@frozen
class HostKey:
    """A public key as OpenSSH writes it.

    Attributes:
        algorithm: Such as ``ssh-ed25519``.
        public: The key itself, the bytes that OpenSSH writes in base64.
    """

    algorithm: str
    public: bytes

    @classmethod
    def from_line(cls, line: str) -> Self:
        """The key of a line such as ``ssh-ed25519 AAAA... comment``.

        Raises:
            InvalidInputError: It is no such line.
        """
        words = line.split()
        try:
            algorithm, public = words[0], base64.b64decode(words[1], validate=True)
        except (IndexError, binascii.Error) as error:
            raise InvalidInputError(f"{line[:40]!r} is no public key") from error
        if _name_in(public) != algorithm:
            raise InvalidInputError(f"{line[:40]!r} is no key of the kind that it names")
        return cls(algorithm, public)

    def to_line(self) -> str:
        """The line of OpenSSH, without a comment."""
        return f"{self.algorithm} {base64.b64encode(self.public).decode()}"

    @property
    def fingerprint(self) -> str:
        """What people compare, as ``ssh-keygen -l`` shows it: ``SHA256:...``."""
        digest = hashlib.sha256(self.public).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _name_in(public: bytes) -> str:
    """The name of the algorithm that a key begins with (RFC 4253, 6.6)."""
    length = int.from_bytes(public[:4], "big")
    return public[4 : 4 + length].decode(errors="replace")
