"""A known account: a key pair, and how its account is opened."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.exchange.server.key_ring import KeyPair
from magellan.exchange.venue.terms import AccountTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAccount:
    """An account to open at the start, and the pair that opens it."""

    pair: KeyPair
    terms: AccountTerms
