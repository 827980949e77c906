"""How a host is reached: what was said when it was enrolled."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Login:
    """Who logs in where; what is empty is as ``~/.ssh/config`` says, else as ``ssh`` would have it.

    Attributes:
        address: The host as worker maps call it: a name, an address, or an alias of
            ``~/.ssh/config``.
        user: The login's name there.
        port: The SSH port; 0 for none given.
        identity_file: The path of the private key to offer before any other.
    """

    address: str
    user: str = ""
    port: int = 0
    identity_file: str = ""
