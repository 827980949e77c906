"""The keys of one run: they come on stdin, live in memory, and never see a disk of a host."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from agi_env.errors import RequestInvalidError


@dataclass(frozen=True, slots=True)
class ClusterKeys:
    """What proves that a process belongs to a run; all of it in PEM.

    Attributes:
        authority: The certificate of the run's own authority.
        certificate: A certificate that it issued.
        key: The private key of that certificate.
    """

    authority: str
    certificate: str
    key: str = field(repr=False)

    @classmethod
    def from_dict(cls, facts: Mapping[str, object]) -> ClusterKeys:
        """Read what ``to_dict`` gave.

        Raises:
            RequestInvalidError: It is something else.
        """
        texts = {each.name: facts.get(each.name) for each in fields(cls)}
        if not all(isinstance(text, str) and text for text in texts.values()):
            raise RequestInvalidError("the keys of the run are not complete")
        return cls(**{name: str(text) for name, text in texts.items()})

    @classmethod
    def from_line(cls, line: bytes) -> ClusterKeys:
        """Read the line ``{"keys": {...}}`` of a conversation.

        Raises:
            RequestInvalidError: It is something else.
        """
        try:
            document = json.loads(line)
        except ValueError:
            document = None
        match document:
            case {"keys": dict(facts)}:
                return cls.from_dict(facts)
        raise RequestInvalidError("the first line on stdin has to be the run's keys")

    def to_line(self) -> bytes:
        """The keys as that line."""
        return json.dumps({"keys": self.to_dict()}).encode() + b"\n"

    def to_dict(self) -> dict[str, str]:
        """The keys as a JSON object."""
        return asdict(self)


class KeyFiles:
    """Files in memory for libraries that read keys from files only.

    Attributes:
        authority: The path of the authority's certificate.
        certificate: The path of the certificate.
        key: The path of the private key.
    """

    def __init__(self, keys: ClusterKeys) -> None:
        self._files = [_in_memory(name, text) for name, text in keys.to_dict().items()]
        self.authority, self.certificate, self.key = (
            f"/proc/self/fd/{file}" for file in self._files
        )

    def close(self) -> None:
        """Forget the keys."""
        files, self._files = self._files, []
        for file in files:
            os.close(file)


def _in_memory(name: str, text: str) -> int:
    file = os.memfd_create(f"agi-{name}", os.MFD_CLOEXEC)
    data = text.encode()
    while data:
        data = data[os.write(file, data) :]
    return file
