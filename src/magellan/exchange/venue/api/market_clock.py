"""GET /clock and /calendar, and their successors under /v3."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from magellan.exchange.error_catalogue import refusal
from magellan.exchange.market.trading_hours import Session, day_of
from magellan.exchange.venue.api.call import Answer, Call, ok
from magellan.exchange.venue.wire_format import date_of, exchange_text
from magellan.trading.session import day_date

_MARKETS = ("NYSE", "NASDAQ", "XNYS", "XNAS")


def get_clock(call: Call) -> Answer:
    """The time, and the next open and close."""
    book = call.book
    now = book.now_ns
    return ok(
        {
            "timestamp": exchange_text(now),
            "is_open": book.hours.session_at(now) is not None,
            "next_open": exchange_text(book.hours.next_open_ns(now)),
            "next_close": exchange_text(book.hours.next_close_ns(now)),
        }
    )


def get_calendar(call: Call) -> Answer:
    """Sessions from start to end, both included; all of them without either."""
    covered = call.book.market.calendar.session_on
    first, last = day_date(int(covered[0])), day_date(int(covered[-1]))
    bounds: dict[str, date] = {"start": first, "end": last}
    for name in bounds:
        written = call.value(name)
        if written is not None:
            found = date_of(written)
            if found is None:
                return refusal("invalid_parameter", name=name, value=written)
            bounds[name] = found
    by_settlement = call.value("date_type") == "SETTLEMENT"
    margin = timedelta(days=7 if by_settlement else 0)
    start, end = max(first, bounds["start"] - margin), min(last, bounds["end"])
    if start > end:
        return ok([])
    days = [_day(call, on) for on in call.book.market.calendar.sessions(start, end)]
    if by_settlement:
        low, high = bounds["start"].isoformat(), bounds["end"].isoformat()
        days = [each for each in days if low <= each["settlement_date"] <= high]
    return ok(days)


def _session(call: Call, on: date) -> Session:
    session = call.book.hours.session(on)
    assert session is not None, "the calendar named it"
    return session


def _day(call: Call, on: date) -> dict[str, str]:
    session = _session(call, on)

    def at(instant_ns: int, form: str) -> str:
        hours, minutes = exchange_text(instant_ns)[11:16].split(":")
        return form.format(hours, minutes)

    return {
        "date": on.isoformat(),
        "open": at(session.opens_at_ns, "{}:{}"),
        "close": at(session.closes_at_ns, "{}:{}"),
        "session_open": at(session.extended_opens_at_ns, "{}{}"),
        "session_close": at(session.extended_closes_at_ns, "{}{}"),
        "settlement_date": settlement_on(call, on).isoformat(),
    }


def settlement_on(call: Call, on: date) -> date:
    """One session later; two before 2024-05-28. At the calendar's end the same day of the week later."""
    sessions = 1 if on >= date(2024, 5, 28) else 2
    last = day_date(int(call.book.market.calendar.session_on[-1]))
    following = call.book.market.calendar.sessions(on, min(last, on + timedelta(days=10)))
    return following[sessions] if len(following) > sessions else on + timedelta(days=sessions)


def get_clock_v3(call: Call) -> Answer:
    """The clocks of the markets that are asked for; all are the one exchange's."""
    asked = call.values("markets") or ["NYSE", "NASDAQ"]
    unknown = [each for each in asked if each not in _MARKETS]
    if unknown:
        return refusal("invalid_parameter", name="markets", value=unknown[0])
    return ok({"clocks": [_clock(call, market) for market in asked]})


def _clock(call: Call, market: str) -> dict[str, Any]:
    book, now = call.book, call.book.now_ns
    session = book.hours.extended_session_at(now)
    opens, closes = book.hours.next_open_ns(now), book.hours.next_close_ns(now)
    if session is None:
        following = book.hours.session(day_of(opens))
        phase, until = "closed", following.extended_opens_at_ns if following else opens
    elif now < session.opens_at_ns:
        phase, until = "pre", session.opens_at_ns
    elif now < session.closes_at_ns:
        phase, until = "core", session.closes_at_ns
    else:
        phase, until = "post", session.extended_closes_at_ns
    return {
        "market": _market(market),
        "timestamp": exchange_text(now),
        "is_market_day": book.hours.session(day_of(now)) is not None,
        "next_market_open": exchange_text(opens),
        "next_market_close": exchange_text(closes),
        "phase": phase,
        "phase_until": exchange_text(until),
    }


def _market(market: str) -> dict[str, str]:
    nyse = market in ("NYSE", "XNYS")
    return {
        "acronym": "NYSE" if nyse else "NASDAQ",
        "mic": "XNYS" if nyse else "XNAS",
        "name": "New York Stock Exchange" if nyse else "NASDAQ Stock Exchange",
        "timezone": "America/New_York",
    }


def get_calendar_v3(call: Call, market: str) -> Answer:
    """The sessions of one market, a week ahead unless asked otherwise."""
    if market not in _MARKETS:
        return refusal("invalid_parameter", name="market", value=market)
    start = date_of(call.value("start") or day_of(call.book.now_ns).isoformat())
    if start is None:
        return refusal("invalid_parameter", name="start", value=call.value("start"))
    end = date_of(call.value("end") or (start + timedelta(days=7)).isoformat())
    if end is None:
        return refusal("invalid_parameter", name="end", value=call.value("end"))
    covered = call.book.market.calendar.session_on
    start = max(start, day_date(int(covered[0])))
    end = min(end, day_date(int(covered[-1])))
    days = call.book.market.calendar.sessions(start, end) if start <= end else ()
    return ok({"market": _market(market), "calendar": [_day_v3(call, on) for on in days]})


def _day_v3(call: Call, on: date) -> dict[str, str]:
    session = _session(call, on)
    return {
        "date": on.isoformat(),
        "pre_start": exchange_text(session.extended_opens_at_ns),
        "pre_end": exchange_text(session.opens_at_ns),
        "core_start": exchange_text(session.opens_at_ns),
        "core_end": exchange_text(session.closes_at_ns),
        "post_start": exchange_text(session.closes_at_ns),
        "post_end": exchange_text(session.extended_closes_at_ns),
        "settlement_date": settlement_on(call, on).isoformat(),
    }
