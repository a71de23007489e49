"""Trade events over SSE."""

import json
from collections.abc import Iterator
from typing import Any

import pytest


def events(
    client, path: str = "/v2/events/trades", count: int | None = None, **query: str
) -> list[dict[str, Any]]:
    """The events of one request: so many, or all of a request that has an end."""
    with client.session.get(client.http + path, params=query, stream=True, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        found = data_of(answer.iter_lines())
        return list(found) if count is None else [next(found) for _ in range(count)]


def data_of(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    return (json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: "))


@pytest.fixture
def traded(client):
    """An account with two filled orders."""
    for _ in range(2):
        client.buy()
        client.step(1)
    return client


@pytest.mark.parametrize("path", ["/v2/events/trades", "/v2beta1/events/trades"])
def test_events_since_an_instant_are_sent_again(traded, path: str) -> None:
    found = events(traded, path, since="2024-03-11T00:00:00Z", until="2024-03-12T00:00:00Z")
    assert [each["event"] for each in found].count("fill") == 2
    assert sorted(each["event_id"] for each in found) == [each["event_id"] for each in found]


def test_a_client_resumes_after_the_last_event_it_saw(traded) -> None:
    whole = events(traded, since="2024-03-11", until="2024-03-12")
    rest = events(traded, since_id=whole[1]["event_id"], until_id=whole[-1]["event_id"])
    assert rest == whole[2:]


def test_between_the_past_and_the_present_nothing_is_lost(traded) -> None:
    whole = events(traded, since="2024-03-11", until="2024-03-12")
    query = {"since_id": whole[0]["event_id"]}
    with traded.session.get(
        traded.http + "/v2/events/trades", params=query, stream=True, timeout=20
    ) as answer:
        found = data_of(answer.iter_lines())
        past = [next(found) for _ in whole[1:]]
        traded.buy()
        assert next(found)["event_id"] > past[-1]["event_id"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "2024-03-11", "since_id": "01"}, "cannot be used together"),
        ({"until": "2024-03-11"}, "until needs since"),
        ({"since": "soon"}, "no date and no time"),
        ({"since": "2024-03-11T10:00:00"}, "has no time zone"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(client, query: dict[str, str], said: str) -> None:
    answer = client.get("/v2/events/trades", **query)
    assert answer.status_code == 400
    assert said in answer.json()["message"]
