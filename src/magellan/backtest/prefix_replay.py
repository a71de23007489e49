"""Prefix replay: what a strategy decides, and what fills, when history ends early must be what it is on the whole.

`strategy/lookahead.py` compares the columns that a strategy computes; this compares what the replay makes of them:
every decision and every fill, up to the moment of the cut. So it also sees what no column shows, such as decisions in
plain Python, orders, stops and money.

One thing is left out: where the replay takes a bar for the last of its session because the file has no later one, and a
session without that file could not have known it from the calendar, what that bar's symbol does from there on is not
compared. That can only concern exits at the session's end, orders for its close and orders that end with it;
docs/guides/sweeps.md says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.backtest import records as r
from magellan.backtest.equity_curve import instants
from magellan.backtest.market import Market
from magellan.backtest.masks import session_ends
from magellan.backtest.replay import Replayed, Run, Terms
from magellan.backtest.run import replay_strategy, views_of
from magellan.errors import FixInput
from magellan.strategy.contract import Parameters, Strategy
from magellan.strategy.lookahead import RELATIVE, Difference
from magellan.strategy.market_view import MarketView
from magellan.trading.bar import PRICE_COLUMNS, Bars, Mask, instant, nanoseconds
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar, SessionClock, session_columns

CUTS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCheck:
    """What was compared, and the first thing that differed."""

    cuts: int
    decisions: int  # compared, over all cuts
    fills: int
    difference: Difference | None  # the earliest one

    @property
    def passed(self) -> bool:
        """Whether prefixes were replayed and nothing differed. That nothing was decided is no difference."""
        return self.cuts > 0 and self.difference is None


def check_replay(
    strategy: Strategy,
    market: Market,
    parameters: Mapping[str, Parameters],
    terms: Terms,
    *,
    clock: SessionClock = SessionClock.EXCHANGE,
    calendar: ExchangeCalendar | None = None,
    reference: Sequence[Bars] = (),
    breaks: Mapping[str, Mask] | None = None,
    actions: Sequence[CorporateAction] = (),
    cuts: int = CUTS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> ReplayCheck:
    """Replay prefixes of history and compare them with the whole.

    parameters: per symbol.
    breaks:     per symbol, bars that open after an unexplained jump.
    cuts:       how many prefixes; where they end follows from `seed` and the bars alone.
    progress:   told how many of how many replays are done.
    Raises: FixInput when there are too few bars to cut; what a replay of the strategy raises.
    """
    ends = cut_instants(market, reference, terms.warmup_bars, cuts, seed, clock)
    everything = _Given(strategy, parameters, terms, clock, calendar, breaks or {}, actions)
    # Prefixes first, each with a strategy of its own: what code keeps between two runs cannot help it.
    parts = []
    for done, end_ns in enumerate(ends):
        parts.append(_replay(everything, *_known_at(end_ns, market, reference)))
        if progress is not None:
            progress(done + 1, len(ends) + 1)
    whole = _replay(everything, list(market.bars), list(reference))
    if progress is not None:
        progress(len(ends) + 1, len(ends) + 1)
    compared = {"decisions": 0, "fills": 0}
    found: list[tuple[int, int, Difference]] = []
    for part in parts:
        before_ns = _comparable_until(part, whole)
        for order, kind in enumerate(("fills", "decisions")):  # a bar's fills come before what it decides
            ours = _until(part.events(kind), part, before_ns)
            theirs = whole.events(kind)
            theirs = _until(theirs[theirs["row"] < part.rows[theirs["symbol"]]], whole, before_ns)
            compared[kind] += len(ours)
            difference = _first_difference(kind, ours, theirs, part, whole)
            if difference is not None:
                found.append((nanoseconds(difference.at), order, difference))
    return ReplayCheck(
        cuts=len(ends),
        decisions=compared["decisions"],
        fills=compared["fills"],
        difference=min(found, key=lambda one: one[:2])[2] if found else None,
    )


def cut_instants(
    market: Market,
    reference: Sequence[Bars],
    warmup_bars: int,
    cuts: int,
    seed: int,
    clock: SessionClock,
) -> tuple[int, ...]:
    """Closing instants (nanoseconds, UTC) at which prefixes end: half at ends of sessions, half anywhere.

    Oldest first, none before every symbol has a bar and warm-up is over, none at the very end.
    Raises FixInput when no instant is left.
    """
    span_ns = market.timeframe.span_ns
    times = instants(market)
    all_begun_ns = max(int(one.opened_at_ns[0]) for one in (*market, *reference) if len(one))
    first = max(int(np.searchsorted(times, all_begun_ns)), warmup_bars)
    fit = times[first:-1]
    if len(fit) == 0:
        raise FixInput(
            f"{len(times)} bars are too few to cut: {first} of them are needed before the first cut",
            next_step="give the strategy more history, or fewer warm-up bars",
        )
    longest = max(market, key=len)
    last_of_day = longest.opened_at_ns[session_columns(longest, clock).last]
    sessions = np.intersect1d(fit, last_of_day)
    chance = np.random.Generator(np.random.PCG64(seed))
    chosen = set(_some(sessions, cuts // 2, chance))
    rest = np.setdiff1d(fit, np.array(sorted(chosen), dtype=np.int64))
    chosen |= set(_some(rest, cuts - len(chosen), chance))
    return tuple(at + span_ns for at in sorted(chosen))


def _some(values: NDArray[np.int64], count: int, chance: np.random.Generator) -> list[int]:
    if len(values) <= count:
        return [int(value) for value in values]
    return [int(value) for value in chance.choice(values, size=count, replace=False)]


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    strategy: Strategy
    parameters: Mapping[str, Parameters]
    terms: Terms
    clock: SessionClock
    calendar: ExchangeCalendar | None
    breaks: Mapping[str, Mask]
    actions: Sequence[CorporateAction]


@dataclass(frozen=True, slots=True, eq=False)
class _Replay:
    """A replay of a prefix, or of the whole. Both hold the same symbols in the same order."""

    market: Market
    views: Sequence[MarketView]
    run: Run
    replayed: Replayed

    @property
    def rows(self) -> NDArray[np.int64]:
        """How many bars of each symbol it holds; shape (symbols,)."""
        return np.diff(self.market.offsets)

    def events(self, kind: str) -> NDArray[np.void]:
        """Fills or decisions in time order; rows are the symbol's own."""
        records: NDArray[np.void] = getattr(self.replayed, kind).copy()
        records["row"] -= self.market.offsets[records["symbol"]]
        return records

    def opened_at_ns(self, events: NDArray[np.void]) -> NDArray[np.int64]:
        """The opening of each event's bar."""
        at: NDArray[np.int64] = self.market.opened_at_ns[
            events["row"] + self.market.offsets[events["symbol"]]
        ]
        return at

    def told(self, kind: str, event: NDArray[np.void]) -> str:
        """The event in words."""
        own, code = self.replayed.own_reasons, int(event["reason"])
        reason = own[code - r.OWN_REASONS] if code >= r.OWN_REASONS else r.REASONS[code]
        units = f"{float(event['units']):.10g} units"
        if kind == "decisions":
            side = {1.0: "enter long", -1.0: "enter short", 0.0: "leave"}[float(event["side"])]
            stop = "" if np.isnan(event["stop"]) else f", stop {float(event['stop']):.10g}"
            return f"{side}, {units}{stop} ({reason})"
        cash = f"cash then {float(event['cash_after']):.10g}"
        return f"{units} at {float(event['price']):.10g} ({reason}), {cash}"


def _known_at(end_ns: int, market: Market, reference: Sequence[Bars]) -> tuple[list[Bars], list[Bars]]:
    """What had closed by then: copies, since a view would leave the future within reach."""

    def known(bars: Bars) -> Bars:
        end = int(np.searchsorted(bars.opened_at_ns + bars.timeframe.span_ns, end_ns, side="right"))
        return Bars(
            symbol=bars.symbol,
            timeframe=bars.timeframe,
            opened_at_ns=bars.opened_at_ns[:end].copy(),
            **{name: getattr(bars, name)[:end].copy() for name in (*PRICE_COLUMNS, "volume")},
        )

    return [known(one) for one in market], [known(one) for one in reference]


def _replay(given: _Given, bars: list[Bars], reference: list[Bars]) -> _Replay:
    market = Market.of(bars)
    views = views_of(market, clock=given.clock, calendar=given.calendar, reference=reference)
    run, replayed = replay_strategy(
        type(given.strategy)(),
        market,
        [given.parameters[symbol] for symbol in market.symbols],
        given.terms,
        views=views,
        breaks=[
            given.breaks[one.symbol][: len(one)].copy() if one.symbol in given.breaks else None
            for one in market
        ],
        actions=given.actions,
    )
    return _Replay(market, views, run, replayed)


def _comparable_until(part: _Replay, whole: _Replay) -> int | None:
    """The instant before which a prefix's events have to be those of the whole; None: all of them."""
    plans = part.run.rules.plans
    ends_matter = bool((plans["session_exit"] != 0).any())
    if len(part.run.arrays.session_ends):
        ends_matter |= bool(np.isin(plans["tif"], (r.DAY, r.CLS)).any())
    if not ends_matter:
        return None
    unknown = []
    for own, other in zip(part.views, whole.views, strict=True):
        row = len(own) - 1
        if session_ends(own)[row] != session_ends(other)[row]:
            unknown.append(int(own.opened_at_ns[row]))
    return min(unknown, default=None)


def _until(events: NDArray[np.void], replay: _Replay, before_ns: int | None) -> NDArray[np.void]:
    return events if before_ns is None else events[replay.opened_at_ns(events) < before_ns]


def _first_difference(
    kind: str, ours: NDArray[np.void], theirs: NDArray[np.void], part: _Replay, whole: _Replay
) -> Difference | None:
    both = min(len(ours), len(theirs))
    differs = {name: ~_equal(ours[name][:both], theirs[name][:both]) for name in ours.dtype.names or ()}
    anywhere = np.logical_or.reduce(list(differs.values()))
    at = int(np.argmax(anywhere)) if anywhere.any() else both
    if at == max(len(ours), len(theirs)):
        return None
    here = [(part, ours[at])] if at < len(ours) else []
    here += [(whole, theirs[at])] if at < len(theirs) else []
    # Of two events at different places, the earlier one is what only one of the two replays has.
    here.sort(key=lambda one: int(one[0].opened_at_ns(one[1])))
    replay, shown = here[0]
    place = (int(shown["symbol"]), int(shown["row"]))
    same = [one for one in here if (int(one[1]["symbol"]), int(one[1]["row"])) == place]
    words = {id(one): one.told(kind, event) for one, event in same}
    field = next((name for name, where in differs.items() if at < both and where[at]), "")
    return Difference(
        symbol=replay.market.symbols[place[0]],
        what=f"{kind.removesuffix('s')}{f' ({field})' if len(same) == 2 else ''}",
        row=place[1],
        at=instant(int(replay.opened_at_ns(shown))),
        prefix_rows=int(part.rows[place[0]]),
        on_prefix=words.get(id(part), "nothing"),
        on_whole=words.get(id(whole), "nothing"),
    )


def _equal(one: NDArray[np.generic], other: NDArray[np.generic]) -> NDArray[np.bool_]:
    if np.issubdtype(one.dtype, np.floating):
        return np.asarray(np.isclose(one, other, rtol=RELATIVE, atol=RELATIVE, equal_nan=True))
    return np.asarray(one == other)
