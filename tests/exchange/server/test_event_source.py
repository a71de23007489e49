"""Trade events over SSE."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from magellan.exchange.server import event_source
from magellan.exchange.server.trade_events import TradeEvent, TradeEvents


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


def now(client) -> str:
    return client.get("/_magellan/clock").json()["now"]


@pytest.fixture
def traded(client):
    """An account with two filled orders."""
    for _ in range(2):
        client.buy()
        client.step(1)
    return client


@pytest.mark.parametrize("path", ["/v2/events/trades", "/v2beta1/events/trades"])
def test_events_since_an_instant_are_sent_again(traded, path: str) -> None:
    found = events(traded, path, since="2024-03-11T00:00:00Z", until=now(traded))
    assert [each["event"] for each in found].count("fill") == 2
    assert sorted(each["event_id"] for each in found) == [each["event_id"] for each in found]


def test_a_client_resumes_after_the_last_event_it_saw(traded) -> None:
    whole = events(traded, since="2024-03-11", until=now(traded))
    rest = events(traded, since_id=whole[1]["event_id"], until_id=whole[-1]["event_id"])
    assert rest == whole[2:]


def test_between_the_past_and_the_present_nothing_is_lost(traded) -> None:
    whole = events(traded, since="2024-03-11", until=now(traded))
    query = {"since_id": whole[0]["event_id"]}
    with traded.session.get(
        traded.http + "/v2/events/trades", params=query, stream=True, timeout=20
    ) as answer:
        found = data_of(answer.iter_lines())
        past = [next(found) for _ in whole[1:]]
        traded.buy()
        assert next(found)["event_id"] > past[-1]["event_id"]


def event(number: int, *, padding: str = "") -> TradeEvent:
    return TradeEvent(
        account_id="A",
        event_id=f"{number:026d}",
        at_ns=number,
        data={"event": "new", "order": {"id": str(number), "padding": padding}},
        json_data=b"{}",
    )


async def served(
    events: TradeEvents, read: Callable[[aiohttp.ClientResponse], Awaitable[None]], *meanwhile: TradeEvent
) -> None:
    """Serve an account's events to one client; what happens meanwhile happens once the client has been heard."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        for each in meanwhile:
            asyncio.get_running_loop().call_soon(events.add, each)
        wanted = event_source.Range(request.query)
        return await event_source.serve_events(
            request, "A", events, wanted, now_ns=0, later=lambda at_ns, action: None
        )

    async with (
        RawTestServer(answer) as server,
        aiohttp.ClientSession() as client,
        client.get(server.make_url("/"), params={"since": "1970-01-01"}) as response,
    ):
        await read(response)


def test_what_happens_while_the_past_is_looked_up_is_told_once() -> None:
    events, told = TradeEvents(), []
    events.add(event(1))

    async def read(response: aiohttp.ClientResponse) -> None:
        async for line in response.content:
            if line.startswith(b"data: "):
                told.append(json.loads(line.removeprefix(b"data: "))["event_id"])
            if told and told[-1] == event(4).event_id:
                break

    asyncio.run(asyncio.wait_for(served(events, read, event(2), event(3), event(4)), 20))
    assert told == [event(number).event_id for number in (1, 2, 3, 4)]


def test_a_client_that_takes_nothing_is_cut_off_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_source, "_WAITING_MAX", 20)
    events, heard = TradeEvents(), []

    async def read(response: aiohttp.ClientResponse) -> None:
        events.listen("A", lambda each: heard.append(each.event_id))
        for number in range(200):
            events.add(event(number, padding="x" * 100_000))
            await asyncio.sleep(0)
        with pytest.raises(aiohttp.ClientError):
            await response.read()

    asyncio.run(asyncio.wait_for(served(events, read), 20))
    assert len(heard) == 200


def test_an_end_that_has_not_come_is_waited_for(traded) -> None:
    at = datetime.fromisoformat(now(traded))
    until = (at + timedelta(seconds=30)).isoformat()
    with traded.session.get(
        traded.http + "/v2/events/trades",
        params={"since": at.isoformat(), "until": until},
        stream=True,
        timeout=20,
    ) as answer:
        bought = traded.buy()["id"]
        traded.step(29)
        traded.step(5)
        late = traded.buy()["id"]
        found = [each["order"]["id"] for each in data_of(answer.iter_lines())]  # until the exchange ends it
    assert bought in found
    assert late not in found


def test_an_id_that_has_been_passed_ends_the_stream(traded) -> None:
    whole = events(traded, since="2024-03-11", until=now(traded))
    assert events(traded, since_id=whole[3]["event_id"], until_id=whole[1]["event_id"]) == []
    with traded.session.get(
        traded.http + "/v2/events/trades",
        params={"since_id": whole[-1]["event_id"], "until_id": whole[-1]["event_id"][:-1] + "Z"},
        stream=True,
        timeout=20,
    ) as answer:
        order_id = traded.buy()["id"]
        assert {each["order"]["id"] for each in data_of(answer.iter_lines())} <= {order_id}


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
