"""Alpaca's live bars at a real exchange over loopback: the stream of minute bars, and the history before them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import pytest
from pydantic import SecretStr

from exchange.server.conftest import KEYS, SESSION_ON, Client, make_server
from magellan.adapters.alpaca.live_bars import AlpacaLiveBars
from magellan.adapters.vendor_request import Patience
from magellan.errors import FixInput, TryAgain
from magellan.exchange.server.background import exchange_in_background
from magellan.ports.live_bars import FeedDown, FeedUp, LiveBar, TradingStatus
from magellan.trading.timeframe import DAY, HOUR, MINUTE
from streams import until

T = TypeVar("T")
OPEN = datetime(2024, 3, 11, 13, 30, tzinfo=UTC)
WITHIN_S = 25
QUICK = Patience(attempts=3, first_wait_s=0.01, longest_wait_s=2.0)
SYMBOLS = ("AAPL", "MSFT")


@pytest.fixture
def there() -> Iterator[Client]:
    """The exchange, a minute and a half into a session, seen by a plain client."""
    with exchange_in_background(make_server) as exchange:
        yield Client(exchange)


def now_at(there: Client) -> datetime:
    return datetime.fromisoformat(there.get("/_magellan/clock").json()["now"])


def with_bars(
    there: Client, work: Callable[[AlpacaLiveBars], Awaitable[T]], *, feed: str = "sip", secret: str = ""
) -> T:
    """What `work` says of a source that lives as long as it."""

    async def worked() -> T:
        bars = AlpacaLiveBars(
            SecretStr(KEYS["APCA-API-KEY-ID"]),
            SecretStr(secret or KEYS["APCA-API-SECRET-KEY"]),
            feed=feed,
            data_url=there.http,
            clock=lambda: now_at(there),
            patience=QUICK,
        )
        try:
            return await asyncio.wait_for(work(bars), WITHIN_S)
        finally:
            await bars.close()

    return asyncio.run(worked())


def is_up(each: object) -> bool:
    return isinstance(each, FeedUp)


def opened(bars: list[Any], symbol: str = "AAPL") -> list[str]:
    return [
        f"{each.bar.opened_at:%H:%M}" for each in bars if isinstance(each, LiveBar) and each.symbol == symbol
    ]


# --- History --------------------------------------------------------------------------------------------------


def test_history_ends_with_the_newest_bar_that_has_closed(there: Client) -> None:
    there.step(60)  # it is two and a half minutes after the opening

    found = with_bars(there, lambda bars: bars.history(SYMBOLS, MINUTE, OPEN, now_at(there)))

    assert {symbol: len(each) for symbol, each in found.items()} == dict.fromkeys(SYMBOLS, 2)
    assert found["AAPL"].opened_at_ns[-1] == np.datetime64("2024-03-11T13:31", "ns").astype(np.int64)


def test_a_running_hour_is_no_bar_yet(there: Client) -> None:
    there.step(2 * 3600)  # 15:31:30 UTC

    found = with_bars(
        there, lambda bars: bars.history(["AAPL"], HOUR, OPEN - timedelta(hours=1), now_at(there))
    )

    newest = found["AAPL"].opened_at_ns[-1].astype("datetime64[ns]")
    assert newest == np.datetime64("2024-03-11T14:00")


def test_a_daily_bar_opens_with_its_date(there: Client) -> None:
    found = with_bars(
        there,
        lambda bars: bars.history(["AAPL"], DAY, OPEN - timedelta(days=7), OPEN.replace(hour=4, minute=0)),
    )
    days = found["AAPL"].opened_at_ns.astype("datetime64[ns]")
    assert days[-1] == np.datetime64("2024-03-08"), "the Friday before the Monday that was not asked for"
    assert (days == days.astype("datetime64[D]")).all()


def test_a_symbol_without_bars_has_empty_columns(there: Client) -> None:
    found = with_bars(there, lambda bars: bars.history(SYMBOLS, MINUTE, OPEN, OPEN))
    assert {symbol: len(each) for symbol, each in found.items()} == dict.fromkeys(SYMBOLS, 0)


def test_history_of_many_pages_is_whole(there: Client) -> None:
    there.step(6 * 3600)
    week_ago = OPEN - timedelta(days=21)
    found = with_bars(there, lambda bars: bars.history(SYMBOLS, MINUTE, week_ago, now_at(there)))
    assert sum(map(len, found.values())) > 10_000, "more than one page"
    for each in found.values():
        assert (np.diff(each.opened_at_ns) > 0).all()


@pytest.mark.parametrize(
    ("kind", "terms"),
    [
        ("rate_limited", {"reset_s": 0}),
        ("refused_request", {"status": 503}),
        ("reset_before", {}),
        ("html_page", {"status": 502}),
    ],
)
def test_history_is_asked_for_again_where_that_may_help(
    there: Client, kind: str, terms: dict[str, Any]
) -> None:
    there.step(60)
    there.fault(kind, when={"route": "GET /v2/stocks/bars"}, count=1, **terms)
    found = with_bars(there, lambda bars: bars.history(SYMBOLS, MINUTE, OPEN, now_at(there)))
    assert len(found["AAPL"]) == 2
    assert there.fired() == [kind]


def test_one_request_for_bars_too_many_is_answered_in_the_vendors_words(there: Client) -> None:
    there.fault("rate_limited", when={"route": "GET /v2/stocks/bars"}, count=1)
    answer = there.get("/v2/stocks/bars", symbols="AAPL", timeframe="1Min")
    assert (answer.status_code, answer.json()["message"]) == (429, "too many requests.")


def test_history_that_never_comes_is_to_be_tried_later(there: Client) -> None:
    there.fault("refused_request", when={"route": "GET /v2/stocks/bars"}, status=503)
    with pytest.raises(TryAgain):
        with_bars(there, lambda bars: bars.history(SYMBOLS, MINUTE, OPEN, now_at(there)))


def test_a_refused_key_is_for_a_person_to_mend(there: Client) -> None:
    there.get("/v2/account")  # the key pair opens its account
    with pytest.raises(FixInput, match="refuses to tell bars"):
        with_bars(there, lambda bars: bars.history(SYMBOLS, MINUTE, OPEN, OPEN), secret="wrong")


def test_a_feed_that_alpaca_does_not_stream_is_refused_by_name(there: Client) -> None:
    with pytest.raises(FixInput, match="no feed 'otc'"):
        with_bars(there, lambda bars: bars.history(SYMBOLS, MINUTE, OPEN, OPEN), feed="otc")


# --- Stream ---------------------------------------------------------------------------------------------------


def test_the_stream_says_that_it_listens_then_each_bar_as_it_closes(there: Client) -> None:
    async def work(bars: AlpacaLiveBars) -> None:
        async with aclosing(bars.stream(SYMBOLS)) as told:  # type: ignore[type-var]
            await until(told, is_up)
            await asyncio.to_thread(there.step, 60)
            found = await until(told, lambda each: isinstance(each, LiveBar) and each.symbol == "MSFT")
        assert opened(found) == opened(found, "MSFT") == ["13:31"]
        assert {each.source for each in found} == {"alpaca/sip"}
        archived = (await bars.history(["AAPL"], MINUTE, OPEN, now_at(there)))["AAPL"]
        (streamed,) = (each.bar for each in found if each.symbol == "AAPL")
        assert streamed == archived.bar(len(archived) - 1), "both tell the very same bar"

    with_bars(there, work)


@pytest.mark.parametrize("kind", ["disconnect", "close_without_frame", "broken_message"])
def test_a_lost_feed_is_told_and_made_anew_and_history_has_what_was_missed(there: Client, kind: str) -> None:
    async def work(bars: AlpacaLiveBars) -> None:
        async with aclosing(bars.stream(SYMBOLS)) as told:  # type: ignore[type-var]
            await until(told, is_up)
            there.fault(kind, when={"stream": "data"}, count=1, after_messages=1)
            await asyncio.to_thread(there.step, 60)
            await asyncio.to_thread(there.step, 60)
            events = await until(told, is_up)
            assert isinstance(events[-2], FeedDown)
            await asyncio.to_thread(there.step, 60)
            later = await until(
                told, lambda each: isinstance(each, LiveBar) and f"{each.bar.opened_at:%H:%M}" == "13:33"
            )
        assert later
        archived = (await bars.history(["AAPL"], MINUTE, OPEN, now_at(there)))["AAPL"]
        assert len(archived) == 4

    with_bars(there, work)


def test_a_bar_that_is_told_twice_is_handed_on_twice(there: Client) -> None:
    there.fault("duplicate_data")

    async def work(bars: AlpacaLiveBars) -> None:
        async with aclosing(bars.stream(["AAPL"])) as told:  # type: ignore[type-var]
            await until(told, is_up)
            await asyncio.to_thread(there.step, 60)
            await asyncio.to_thread(there.step, 60)
            found = await until(
                told, lambda each: isinstance(each, LiveBar) and f"{each.bar.opened_at:%H:%M}" == "13:32"
            )
        assert opened(found)[:3] == ["13:31", "13:31", "13:32"]

    with_bars(there, work)


def test_a_halt_and_its_end_are_told(there: Client) -> None:
    async def work(bars: AlpacaLiveBars) -> None:
        async with aclosing(bars.stream(["AAPL"])) as told:  # type: ignore[type-var]
            await until(told, is_up)
            there.post("/_magellan/market/halt", {"symbol": "AAPL"})
            (halted,) = await until(told, lambda each: isinstance(each, TradingStatus))
            there.post("/_magellan/market/resume", {"symbol": "AAPL"})
            (resumed,) = await until(told, lambda each: isinstance(each, TradingStatus))
        assert (halted.symbol, halted.halted, resumed.halted) == ("AAPL", True, False)

    with_bars(there, work)


def test_a_stream_that_refuses_the_key_is_for_a_person_to_mend(there: Client) -> None:
    there.get("/v2/account")

    async def work(bars: AlpacaLiveBars) -> None:
        async with aclosing(bars.stream(SYMBOLS)) as told:  # type: ignore[type-var]
            await until(told, is_up)

    with pytest.raises(FixInput, match="refuses the key"):
        with_bars(there, work, secret="wrong")


def test_the_session_served_is_the_one_these_tests_speak_of() -> None:
    assert OPEN.date() == SESSION_ON
