"""Who is let in, and into which account."""

import base64

import pytest

from magellan.errors import FixInput
from magellan.exchange.server.key_ring import KeyPair, KeyRing, Refusal, shown_pair

PAIR = KeyPair(key_id="PK1", secret="s1")


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({"APCA-API-KEY-ID": "PK1", "APCA-API-SECRET-KEY": "s1"}, PAIR),
        ({"Authorization": "Basic " + base64.b64encode(b"PK1:s1").decode()}, PAIR),
        (
            {"Authorization": "basic " + base64.b64encode(b"PK1:s:1").decode()},
            KeyPair(key_id="PK1", secret="s:1"),
        ),
        ({"Authorization": "Bearer PK1:s1"}, PAIR),
        ({"Authorization": "Bearer token"}, KeyPair(key_id="token", secret="token")),
        ({"APCA-API-KEY-ID": "PK1"}, KeyPair(key_id="PK1", secret="")),
        ({"Authorization": "Basic not-base64!"}, None),
        ({"Authorization": "Digest x"}, None),
        ({}, None),
    ],
)
def test_a_pair_is_read_from_every_form_that_alpaca_takes(
    headers: dict[str, str], shown: KeyPair | None
) -> None:
    assert shown_pair(headers) == shown


def test_a_pair_never_seen_opens_an_account_once() -> None:
    opened: list[str] = []
    ring = KeyRing([], lambda pair: opened.append(pair.key_id) or f"account of {pair.key_id}")
    assert ring.account_of(PAIR) == ring.account_of(PAIR) == "account of PK1"
    assert opened == ["PK1"]


@pytest.mark.parametrize(
    ("pair", "refusal"),
    [
        (None, Refusal.UNAUTHORIZED),
        (KeyPair(key_id="", secret="s1"), Refusal.UNAUTHORIZED),
        (KeyPair(key_id="PK1", secret="wrong"), Refusal.FORBIDDEN),
        (KeyPair(key_id="PK1", secret=""), Refusal.FORBIDDEN),
        (KeyPair(key_id="PK2", secret=""), Refusal.FORBIDDEN),
    ],
)
def test_nothing_and_a_wrong_secret_open_nothing(pair: KeyPair | None, refusal: Refusal) -> None:
    ring = KeyRing([(PAIR, "account")], lambda _: "another")
    assert ring.account_of(pair) is refusal


def test_a_ring_with_fixed_pairs_lets_no_other_in() -> None:
    ring = KeyRing([(PAIR, "account")], None)
    assert ring.account_of(PAIR) == "account"
    assert ring.account_of(KeyPair(key_id="PK2", secret="s2")) is Refusal.FORBIDDEN


@pytest.mark.parametrize("opens_new", [True, False])
def test_a_second_pair_opens_the_account_of_the_first_which_then_is_revoked_for_good(opens_new: bool) -> None:
    ring = KeyRing([(PAIR, "account")], (lambda _: "another") if opens_new else None)
    second = KeyPair(key_id="PK2", secret="s2")
    assert ring.add(second, beside="PK1") == "account"
    assert ring.account_of(PAIR) == ring.account_of(second) == "account"
    assert ring.revoke("PK1") == "account"
    assert ring.account_of(PAIR) is Refusal.FORBIDDEN
    assert ring.account_of(second) == "account"
    assert ring.accounts() == {"PK2": "account"}


def test_a_pair_is_not_changed_and_goes_beside_one_that_is_known() -> None:
    ring = KeyRing([(PAIR, "account")], None)
    ring.add(KeyPair(key_id="PK2", secret="s2"), beside="PK1")
    ring.revoke("PK2")
    for taken in ("PK1", "PK2"):
        with pytest.raises(FixInput, match=f"'{taken}' was given to a pair before"):
            ring.add(KeyPair(key_id=taken, secret="other"), beside="PK1")
    for unknown in (
        lambda: ring.add(KeyPair(key_id="PK3", secret="s"), beside="PK9"),
        lambda: ring.revoke("PK9"),
    ):
        with pytest.raises(FixInput, match="no account has the key id 'PK9'; known: PK1"):
            unknown()
    assert ring.account_of(PAIR) == "account"
