"""No key that the process knows is ever written down."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.samples import DECISION, entry, intended, told
from magellan.ledger.chain import EMPTY, entry_from, sealed
from magellan.ledger.entries import (
    AlertRaised,
    AnswerIs,
    AnswerTo,
    Decision,
    FailureSeen,
    OrderAnswered,
    Payload,
    Reconciliation,
)
from magellan.ledger.known_secrets import HIDDEN, KnownSecrets

CANARIES = ("canary-key-5417", 'canary"with\\quotes', "canary-é-ключ")
SECRETS = KnownSecrets((*CANARIES, "short", ""))


def repeating(secret: str) -> list[Payload]:
    """What an answer, an error or a strategy might repeat."""
    return [
        FailureSeen(where="broker", error=f"GET https://host/?key={secret}: 401"),
        AlertRaised(severity="critical", text=f"{secret}{secret}"),
        OrderAnswered(
            client_order_id="mg1",
            to=AnswerTo.SUBMIT,
            answer=AnswerIs.REFUSED,
            message=f"{{'key': '{secret}'}}",
            order=told(secret),
        ),
        Decision(
            **{**{name: getattr(DECISION, name) for name in DECISION.__slots__}, "indicators": {secret: 1.0}}
        ),
        intended(reason=secret),
    ]


@pytest.mark.parametrize("secret", CANARIES)
@pytest.mark.parametrize("at", range(5))
def test_a_key_that_an_entry_would_repeat_is_hidden(secret: str, at: int) -> None:
    payload = repeating(secret)[at]
    (stored,), (read,) = sealed([entry(payload)], "PA1", EMPTY, SECRETS)
    assert "canary" not in stored.line.decode() and HIDDEN in stored.line.decode()
    assert entry_from(stored) == read
    assert type(read.payload) is type(payload)


def test_entries_without_a_secret_are_left_as_they_are() -> None:
    payload = Reconciliation(occasion="a short start", differences=(), policy="refuse", result="agreed")
    _, (read,) = sealed([entry(payload)], "PA1", EMPTY, SECRETS)
    assert read.payload is payload


def test_exact_numbers_survive_in_an_entry_whose_text_is_hidden() -> None:
    _, (read,) = sealed([entry(repeating(CANARIES[0])[2])], "PA1", EMPTY, SECRETS)
    assert isinstance(read.payload, OrderAnswered) and read.payload.order is not None
    assert read.payload.order.quantity == Decimal(100)
    assert read.payload.order.client_order_id == HIDDEN
