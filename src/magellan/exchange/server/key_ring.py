"""The key ring: which key pair opens which account."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from magellan.errors import FixInput


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """What a client shows: its key id and secret."""

    key_id: str
    secret: str


class Refusal(Enum):
    """Why a request is not let in; the values are entries of the error catalogue."""

    UNAUTHORIZED = "unauthorized"  # nothing was shown
    FORBIDDEN = "forbidden"  # what was shown opens nothing


class KeyRing:
    """Accounts by key pair.

    pairs:        the pairs that are known beforehand, with their accounts.
    open_account: opens an account for a pair never seen; None where only the known pairs are let in.
    """

    def __init__(
        self, pairs: Sequence[tuple[KeyPair, str]], open_account: Callable[[KeyPair], str] | None
    ) -> None:
        self._by_key = {pair.key_id: (pair.secret.encode(), account_id) for pair, account_id in pairs}
        self._open_account = open_account
        self._revoked: set[str] = set()

    def account_of(self, pair: KeyPair | None) -> str | Refusal:
        """The account that a pair opens. A wrong secret never opens another account under the same key id."""
        if pair is None or not pair.key_id:
            return Refusal.UNAUTHORIZED
        if pair.key_id in self._revoked:
            return Refusal.FORBIDDEN
        known = self._by_key.get(pair.key_id)
        if known is not None:
            secret, account_id = known
            return account_id if hmac.compare_digest(secret, pair.secret.encode()) else Refusal.FORBIDDEN
        if self._open_account is None or not pair.secret:
            return Refusal.FORBIDDEN
        account_id = self._open_account(pair)
        self._by_key[pair.key_id] = (pair.secret.encode(), account_id)
        return account_id

    def add(self, pair: KeyPair, *, beside: str) -> str:
        """Let a new pair open the account that the key id `beside` opens; returns that account.

        Raises FixInput when nothing opens with `beside`, or the new key id was ever known: a pair is not changed.
        """
        if pair.key_id in self._by_key or pair.key_id in self._revoked:
            raise FixInput(f"the key id '{pair.key_id}' was given to a pair before; a new pair has a new one")
        account_id = self.account_id(beside)
        self._by_key[pair.key_id] = (pair.secret.encode(), account_id)
        return account_id

    def revoke(self, key_id: str) -> str:
        """Let a pair open nothing any more; returns the account that it opened.

        Raises FixInput when nothing opens with it.
        """
        account_id = self.account_id(key_id)
        del self._by_key[key_id]
        self._revoked.add(key_id)
        return account_id

    def account_id(self, key_id: str) -> str:
        """The account that a key id opens, whatever its secret. Raises FixInput, naming those that are known."""
        known = self._by_key.get(key_id)
        if known is None:
            names = ", ".join(self._by_key) or "none has been opened yet"
            raise FixInput(f"no account has the key id '{key_id}'; known: {names}")
        return known[1]

    def accounts(self) -> dict[str, str]:
        """{key id: account id}, in the order in which they came."""
        return {key_id: account_id for key_id, (_, account_id) in self._by_key.items()}


def shown_pair(headers: Mapping[str, str]) -> KeyPair | None:
    """The pair that a request shows: Alpaca's own headers, Basic, or Bearer with `key:secret` or one token.

    A bearer token without a colon is key id and secret in one. None when nothing, or nothing readable, is shown.
    """
    key_id, secret = headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")
    if key_id is not None or secret is not None:
        return KeyPair(key_id=key_id or "", secret=secret or "")
    scheme, _, shown = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and shown:
        key_id, colon, secret = shown.strip().partition(":")
        return KeyPair(key_id=key_id, secret=secret if colon else key_id)
    if scheme.lower() == "basic" and shown:
        try:
            key_id, colon, secret = base64.b64decode(shown, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return KeyPair(key_id=key_id, secret=secret) if colon else None
    return None
