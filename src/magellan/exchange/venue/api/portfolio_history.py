"""GET /account/portfolio/history: the account's equity over time, from what the venue noted bar by bar."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.market.trading_hours import day_of, day_start_ns
from magellan.exchange.venue.api.call import Answer, Call, ok
from magellan.exchange.venue.wire_format import CENT, instant_of, is_true
from magellan.trading.timeframe import DAY_NS, MINUTE_NS, SECOND_NS

_STEPS = {
    "1Min": MINUTE_NS,
    "5Min": 5 * MINUTE_NS,
    "15Min": 15 * MINUTE_NS,
    "1H": 60 * MINUTE_NS,
    "1D": DAY_NS,
}
_UNITS = {"D": 1, "W": 7, "M": 31, "A": 366}
_INTRADAY_DAYS_MAX = 31  # Alpaca says thirty days, and answers a month
_CHOICES = {
    "timeframe": tuple(_STEPS),
    "intraday_reporting": ("market_hours", "extended_hours", "continuous"),
    "pnl_reset": ("per_day", "no_reset"),
}
_PERIOD = re.compile(r"(\d+)([DWMA])")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    start_ns: int
    end_ns: int
    timeframe: str


def get_portfolio_history(call: Call) -> Answer:
    """One value per time window, labelled with its beginning.

    Profit is against the closing equity of the session before the first window; within days, against that of the
    session before each window's own day, unless `pnl_reset` is no_reset.
    """
    asked = _range(call)
    if isinstance(asked, Refusal):
        return asked
    is_daily = asked.timeframe == "1D"
    stamps = _daily(call, asked) if is_daily else _intraday(call, asked)
    history = call.account.equity_history
    times = [at_ns for at_ns, _ in history]

    def equity_at(at_ns: int) -> Decimal:
        place = bisect_right(times, at_ns)
        return history[place - 1][1] if place else call.account.deposits_usd

    starts = [starts_ns for starts_ns, _ in stamps]
    values = [equity_at(ends_ns) for _, ends_ns in stamps]
    base_ns = _closed_before(call, starts[0] if starts else asked.start_ns)
    base = equity_at(base_ns)
    bases = [base] * len(stamps)
    if not is_daily and call.value("pnl_reset") != "no_reset":
        days = {starts_ns: day_of(starts_ns) for starts_ns in starts}
        closes = {day: equity_at(_closed_before(call, day_start_ns(day))) for day in {*days.values()}}
        bases = [closes[days[starts_ns]] for starts_ns in starts]
    gains = [(value - against, against) for value, against in zip(values, bases, strict=True)]
    body: dict[str, Any] = {
        "timestamp": [starts_ns // SECOND_NS for starts_ns in starts],
        "equity": [float(value.quantize(CENT)) for value in values],
        "profit_loss": [float(gain.quantize(CENT)) for gain, _ in gains],
        "profit_loss_pct": [
            float((gain / against).quantize(CENT**3)) if against else None for gain, against in gains
        ],
        "base_value": float(base.quantize(CENT)),
        "base_value_asof": day_of(base_ns).isoformat(),
        "timeframe": asked.timeframe,
        "cashflow": {},
    }
    wanted = call.values("cashflow_types")
    if wanted and wanted != ["NONE"]:
        body["cashflow"] = _cash_flow(call, stamps, None if wanted == ["ALL"] else set(wanted))
    return ok(body)


def _closed_before(call: Call, at_ns: int) -> int:
    """The newest session's close before an instant's day; the day's own beginning where there was none."""
    starts_ns = day_start_ns(day_of(at_ns))
    closed_ns = call.book.hours.previous_close_ns(starts_ns)
    return starts_ns - 1 if closed_ns is None else closed_ns


def _range(call: Call) -> _Range | Refusal:
    for name, choices in _CHOICES.items():
        chosen = call.value(name)
        if chosen is not None and chosen not in choices:
            return refusal("invalid_parameter", name=name, value=chosen)
    period = call.value("period")
    days = None
    if period is not None:
        match = _PERIOD.fullmatch(period)
        if match is None:
            return refusal("invalid_parameter", name="period", value=period)
        days = int(match[1]) * _UNITS[match[2]]
    bounds: dict[str, int | None] = {}
    for name in ("start", "end", "date_end"):
        written = call.value(name)
        bounds[name] = instant_of(written) if written is not None else None
        if written is not None and bounds[name] is None:
            return refusal("invalid_parameter", name=name, value=written)
    start_ns, end_ns = bounds["start"], bounds["end"] or bounds["date_end"]
    if start_ns is not None and end_ns is not None and period is not None:
        return refusal("history_range", why="only two of period, start and end are accepted")
    now_ns = call.book.now_ns
    if end_ns is None:
        end_ns = start_ns + (days or 31) * DAY_NS if start_ns is not None and days else now_ns
    end_ns = min(end_ns, now_ns)
    if start_ns is None:
        days = 31 if days is None else days
        start_ns = day_start_ns(day_of(end_ns - (days - 1) * DAY_NS))
    if start_ns > end_ns:
        return refusal("history_range", why="start must be before end")
    span_days = (end_ns - start_ns) / DAY_NS if days is None else days
    timeframe = call.value("timeframe")
    if timeframe is None:
        timeframe = "1Min" if span_days < 7 else "15Min" if span_days < 30 else "1D"
    if timeframe != "1D" and span_days > _INTRADAY_DAYS_MAX:
        return refusal("history_range", why=f"{timeframe} is only available for 30 days or less")
    return _Range(start_ns=start_ns, end_ns=end_ns, timeframe=timeframe)


def _daily(call: Call, asked: _Range) -> list[tuple[int, int]]:
    """Sessions as (beginning of their date, close); today's runs until now."""
    return [
        (day_start_ns(session.on), min(session.closes_at_ns, asked.end_ns))
        for session in call.book.hours.sessions_between(asked.start_ns, asked.end_ns)
        if asked.start_ns <= session.closes_at_ns and session.opens_at_ns <= asked.end_ns
    ]


def _intraday(call: Call, asked: _Range) -> list[tuple[int, int]]:
    """Windows within the hours that are asked for, as (beginning, end)."""
    reporting = call.value("intraday_reporting") or (
        "extended_hours" if is_true(call.value("extended_hours")) else "market_hours"
    )
    step = _STEPS[asked.timeframe]
    if reporting == "continuous":
        spans = [(asked.start_ns, asked.end_ns)]
    else:
        spans = [
            (session.extended_opens_at_ns, session.extended_closes_at_ns)
            if reporting == "extended_hours"
            else (session.opens_at_ns, session.closes_at_ns)
            for session in call.book.hours.sessions_between(asked.start_ns, asked.end_ns)
        ]
    stamps = []
    for opens_ns, closes_ns in spans:
        for starts_ns in range(opens_ns, closes_ns, step):
            if asked.start_ns <= starts_ns <= asked.end_ns:
                stamps.append((starts_ns, min(starts_ns + step, asked.end_ns)))
    return stamps


def _cash_flow(call: Call, stamps: list[tuple[int, int]], kinds: set[str] | None) -> dict[str, list[float]]:
    """Amounts per kind of activity and window."""
    flows: dict[str, list[float]] = {}
    starts = [starts_ns for starts_ns, _ in stamps]
    for activity in call.account.activities:
        if "net_amount" not in activity.body or (kinds is not None and activity.kind not in kinds):
            continue
        place = bisect_right(starts, activity.at_ns) - 1
        if place >= 0:
            row = flows.setdefault(activity.kind, [0.0] * len(stamps))
            row[place] += float(activity.body["net_amount"])
    return flows
