"""REST over the wire: who is let in, what is unknown, limits, ids, orders from entry to fill."""

from collections.abc import Callable

import pytest
import requests

from magellan.exchange.server.accounts import KnownAccount
from magellan.exchange.server.key_ring import KeyPair
from magellan.exchange.venue.terms import AccountTerms

ACCOUNTS = (KnownAccount(pair=KeyPair(key_id="PKTEST", secret="secret"), terms=AccountTerms()),)


def test_an_order_is_accepted_filled_and_becomes_a_position(client) -> None:
    order = client.buy()
    assert order["status"] in ("accepted", "pending_new", "new")
    client.step(1)
    filled = client.get(f"/v2/orders/{order['id']}").json()
    assert filled["status"] == "filled"
    position = client.get("/v2/positions/AAPL").json()
    assert position["qty"] == "10"
    assert position["avg_entry_price"] == filled["filled_avg_price"]
    account = client.get("/v2/account").json()
    assert float(account["cash"]) == pytest.approx(100_000 - 10 * float(filled["filled_avg_price"]))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"APCA-API-KEY-ID": "PKTEST", "APCA-API-SECRET-KEY": "wrong"}, 403),
        ({"APCA-API-KEY-ID": "PKOTHER", "APCA-API-SECRET-KEY": "secret"}, 403),
        ({"Authorization": "Basic UEtURVNUOnNlY3JldA=="}, 200),
        ({"Authorization": "Bearer PKTEST:secret"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/v2/account", "/v2/stocks/AAPL/bars/latest", "/v2/events/trades"])
def test_an_exchange_with_fixed_accounts_refuses_all_others(
    start: Callable, headers: dict[str, str], status: int, path: str
) -> None:
    client = start(accounts=ACCOUNTS)
    with requests.get(client.http + path, headers=headers, stream=True, timeout=20) as answer:
        assert answer.status_code == status
        if status == 401:
            assert answer.json()["message"] == "unauthorized."
        if status == 403:
            assert answer.json()["message"] == "forbidden."


def test_market_data_of_crypto_is_told_without_keys_but_not_with_wrong_ones(start: Callable) -> None:
    address = start(accounts=ACCOUNTS).http + "/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD"
    assert requests.get(address, timeout=20).status_code not in (401, 403)
    wrong = {"APCA-API-KEY-ID": "PKTEST", "APCA-API-SECRET-KEY": "wrong"}
    assert requests.get(address, headers=wrong, timeout=20).status_code == 403


@pytest.mark.parametrize("path", ["/v1/locates", "/v2beta1/events/activities", "/v2/wallets"])
def test_whatever_version_a_feature_has_that_is_not_lent_here_the_account_is_not_enabled_for_it(
    client, path: str
) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (403, 40310000)


def test_every_key_pair_has_an_account_of_its_own(client) -> None:
    other = {"APCA-API-KEY-ID": "PKOTHER", "APCA-API-SECRET-KEY": "secret"}
    client.buy()
    client.step(1)
    theirs = requests.get(client.http + "/v2/positions", headers=other, timeout=20).json()
    assert theirs == []
    assert len(client.get("/v2/positions").json()) == 1
    assert [each["key_id"] for each in client.get("/_magellan/accounts").json()["accounts"]] == [
        "PKTEST",
        "PKOTHER",
    ]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/nothing"),
        ("POST", "/v2/stocks/bars"),
        ("GET", "/v1/accounts"),
        ("GET", "/v9"),
        ("GET", "/nothing"),
    ],
)
def test_an_unknown_route_is_answered_as_alpaca_does(client, method: str, path: str) -> None:
    answer = client.session.request(method, client.http + path, timeout=20)
    assert answer.status_code in (404, 405)
    assert answer.json()["code"] in (40410000, 40510000)


def test_a_body_that_is_no_json_is_refused(client) -> None:
    answer = client.session.post(client.http + "/v2/orders", data=b"{not json", timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (400, 40010000)


def test_every_answer_has_an_id_of_its_own(client) -> None:
    ids = {client.get("/v2/clock").headers["X-Request-ID"] for _ in range(5)}
    assert len(ids) == 5


def test_a_rate_limit_is_told_with_every_answer_and_kept(start: Callable) -> None:
    client = start(requests_per_minute=3)
    answers = [client.get("/v2/clock") for _ in range(5)]
    # The minute of the wall clock may end in between; then the count begins anew, and at most one fewer is refused.
    assert [each.status_code for each in answers].count(429) >= 1
    assert answers[0].headers["X-RateLimit-Limit"] == "3"
    refused = next(each for each in answers if each.status_code == 429)
    assert refused.json() == {"code": 42910000, "message": "rate limit exceeded"}
    assert refused.headers["X-RateLimit-Remaining"] == "0"


def test_answers_tell_the_exchanges_time(client) -> None:
    answer = client.get("/v2/clock")
    assert answer.json()["timestamp"].startswith("2024-03-11T09:31:30")
    assert answer.headers["Date"] == "Mon, 11 Mar 2024 13:31:30 GMT"


def test_a_port_that_is_taken_is_told(start: Callable) -> None:
    from magellan.errors import FixInput

    first = start()
    with pytest.raises(FixInput, match="is taken"):
        start(port=first.exchange.server.port)
