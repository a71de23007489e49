"""Signature: who answers for a release. Ed25519 over the release's name, which is the digest of all that it is.

The same keys sign other statements too, such as where the audit log ended. Each kind of statement begins with words of
its own, so that none can be taken for another.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from magellan.errors import AskOperator, FixInput

_KIND: Final = (
    "magellan release, format 1, SHA-256 "  # what the signed bytes begin with: they mean nothing else
)
_FIELDS: Final = frozenset({"public_key", "signature"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature, with the key that it claims to be by."""

    public_key: str  # base64, 32 bytes
    signature: str  # base64, 64 bytes

    def written(self) -> bytes:
        document = {"public_key": self.public_key, "signature": self.signature}
        return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"

    @classmethod
    def parsed(cls, content: bytes, *, name: str) -> Self:
        """Raises AskOperator for anything that was not written so."""
        try:
            found: Any = json.loads(content)
        except ValueError:
            found = None
        if (
            not isinstance(found, dict)
            or found.keys() != _FIELDS
            or not all(isinstance(v, str) for v in found.values())
        ):
            raise AskOperator(
                f"{name}: its signature cannot be read", next_step="fetch or build the release again"
            )
        return cls(**found)

    def problem(self, release_id: str, trusted: Mapping[str, str]) -> str | None:
        """Why the release is not to be trusted; None: a trusted key signed exactly it.

        trusted: public keys, base64, by the name of whom they belong to.
        """
        return self.problem_with(_signed(release_id), trusted)

    def problem_with(self, statement: bytes, trusted: Mapping[str, str]) -> str | None:
        """The same for any statement."""
        if self.public_key not in trusted.values():
            return f"it is signed by the key {self.public_key}, which magellan.toml does not trust"
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.public_key, validate=True))
            key.verify(base64.b64decode(self.signature, validate=True), statement)
        except (InvalidSignature, binascii.Error, ValueError):
            return "its signature does not belong to it"
        return None

    def signer(self, trusted: Mapping[str, str]) -> str | None:
        """The name beside the key in magellan.toml."""
        return next((name for name, key in trusted.items() if key == self.public_key), None)


class SigningKey:
    """A private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def new(cls) -> SigningKey:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def parsed(cls, pem: bytes, *, name: str) -> SigningKey:
        """Raises FixInput for a file that holds no Ed25519 key without a passphrase."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise FixInput(
                f"{name} holds no Ed25519 private key that can be read",
                next_step="restore it, or move it away and make a new one with `magellan release key`",
            )
        return cls(key)

    def written(self) -> bytes:
        """PEM, not encrypted: the file that holds it is its owner's alone."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public_key(self) -> str:
        """Base64 of its 32 bytes."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    def sign(self, release_id: str) -> Signature:
        return self.sign_statement(_signed(release_id))

    def sign_statement(self, statement: bytes) -> Signature:
        """statement: begins with words that no other kind of statement begins with."""
        signature = base64.b64encode(self._key.sign(statement)).decode()
        return Signature(public_key=self.public_key, signature=signature)


def _signed(release_id: str) -> bytes:
    return f"{_KIND}{release_id}".encode()
