"""What Dask encrypts with: the keys of one run, in both directions, and nothing in the clear."""

from __future__ import annotations

from distributed.security import Security

from agi_env.runtime.cluster_keys import KeyFiles


def security(files: KeyFiles) -> Security:
    """The same keys for every role: whoever holds a certificate of the run belongs to it."""
    roles = ("client", "scheduler", "worker")
    return Security(
        require_encryption=True,
        tls_ca_file=files.authority,
        **{f"tls_{role}_cert": files.certificate for role in roles},
        **{f"tls_{role}_key": files.key for role in roles},
    )
