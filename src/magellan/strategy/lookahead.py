"""Look-ahead check: what a strategy computes on a prefix of history must equal what it computes on the whole.

A live session only ever has a prefix. Research has mistaken the whole day's low, a forward return and a
centred window for knowledge (incident 11), and each made losses look like profits. Here features, conditions,
decisions and plans are computed on prefixes that end inside and at the end of sessions, and compared with the
whole, row by row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.errors import FixInput
from magellan.strategy.contract import (
    Features,
    Holding,
    Intent,
    Moment,
    Parameters,
    Strategy,
    decides_in_python,
)
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import Price, Reading
from magellan.trading.bar import PRICE_COLUMNS, Bars, instant
from magellan.trading.session import ExchangeCalendar, SessionClock, session_columns

PREFIXES: Final = 12  # per symbol
DECISIONS_PER_PREFIX: Final = 25  # on the newest bars, where a strategy decides in Python

# Smaller differences are the order of additions, not knowledge: NumPy adds long columns up in pieces.
RELATIVE: Final = 1e-9

_CONDITIONS = ("enter_long", "enter_short", "exit_long", "exit_short", "wake")
_PLANS = ("plan", "plan_short")
_CASH_USD = 100_000.0

Answers = dict[str, Any]  # name: column of shape (n,), or a single value


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that would have been another, had the future not been there."""

    symbol: str
    what: str  # "feature 'day_low'", "enter_long", "plan.stop.column"
    row: int  # of the first value that differs
    at: datetime  # aware, UTC: the opening of that row's bar
    prefix_rows: int  # bars in the prefix that shows it
    on_prefix: str
    on_whole: str

    def __str__(self) -> str:
        return (
            f"{self.symbol} {self.what} at row {self.row} ({self.at:%Y-%m-%d %H:%M} UTC) is {self.on_prefix} "
            f"when history ends after {self.prefix_rows} bars, and {self.on_whole} when it goes on"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LookaheadReport:
    """What the check compared, and what differed."""

    symbols: tuple[str, ...]
    prefixes: int  # of all symbols together
    values: int  # compared, in all
    differences: tuple[Difference, ...]  # the first of each column, by symbol
    reads_the_future: tuple[str, ...]  # plan prices that are read on the very bar that fills them

    @property
    def passed(self) -> bool:
        """Whether something was compared and nothing differed."""
        return self.values > 0 and not self.differences and not self.reads_the_future

    @property
    def findings(self) -> tuple[str, ...]:
        """Every finding in a sentence."""
        return (*map(str, self.differences), *self.reads_the_future)


def check_lookahead(
    strategy: Strategy,
    bars: Sequence[Bars],
    parameters: Mapping[str, Parameters],
    *,
    clock: SessionClock = SessionClock.EXCHANGE,
    calendar: ExchangeCalendar | None = None,
    reference: Sequence[Bars] = (),
    warmup_bars: int = 0,
    prefixes: int = PREFIXES,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LookaheadReport:
    """Compare everything that a strategy computes on prefixes with the whole.

    bars:        each symbol's, as the strategy would trade them; all symbols may be read as others.
    parameters:  per symbol.
    reference:   further symbols that features may read.
    warmup_bars: no prefix is shorter; a live session never has fewer bars either.
    prefixes:    per symbol; where they end follows from `seed` and the bars alone.
    progress:    told how many of how many prefixes are done.
    Raises:      FixInput when no symbol has enough bars; whatever the strategy's own code raises.
    """
    ends = {one.symbol: prefix_ends(one, clock, warmup_bars, prefixes, seed) for one in bars}
    total = sum(len(found) for found in ends.values())
    if total == 0:
        raise FixInput(
            f"no symbol has more than {max(warmup_bars, 1)} bars, so look-ahead cannot be checked",
            next_step="give the strategy more history, or fewer warm-up bars",
        )
    done, values = 0, 0
    differences: list[Difference] = []
    same: list[str] = []
    for one in bars:
        others = [other for other in (*bars, *reference) if other.symbol != one.symbol]

        def view(end: int, one: Bars = one, others: Sequence[Bars] = others) -> MarketView:
            return cut(one, others, end, clock, calendar)

        # Prefixes first, each with a strategy of its own: what code keeps between two calls cannot help it.
        parts: list[tuple[int, Answers]] = []
        for end in ends[one.symbol]:
            parts.append((end, answers(strategy, view(end), parameters[one.symbol])))
            done += 1
            if progress is not None:
                progress(done, total)
        whole = answers(strategy, view(len(one)), parameters[one.symbol])
        if decides_in_python(strategy):
            asked = [rows_to_ask(part, end) for end, part in parts]
            for (end, part), rows in zip(parts, asked, strict=True):
                part |= decisions(strategy, view(end), parameters[one.symbol], rows)
            every = sorted({row for rows in asked for row in rows})
            whole |= decisions(strategy, view(len(one)), parameters[one.symbol], every)
        found: dict[str, Difference] = {}
        for end, part in parts:
            for name in (*part, *_left_out(part, whole)):
                compared, difference = compare(
                    one, name, end, part.get(name, _ABSENT), whole.get(name, _ABSENT)
                )
                values += compared
                if difference is not None and difference.row < _row_of(found.get(name)):
                    found[name] = difference
        differences += found.values()
        same += [
            f"{one.symbol} {name.removesuffix(_SAME)} is read on the bar that it fills"
            for name in whole
            if name.endswith(_SAME)
        ]
    return LookaheadReport(
        symbols=tuple(one.symbol for one in bars),
        prefixes=total,
        values=values,
        differences=tuple(differences),
        reads_the_future=tuple(same),
    )


def prefix_ends(
    bars: Bars, clock: SessionClock, warmup_bars: int, prefixes: int, seed: int
) -> tuple[int, ...]:
    """Where prefixes end, in rows: at ends of sessions, at their first bars and inside them; oldest first.

    Deterministic in its arguments. The last bar is always left out of the longest prefix.
    """
    n = len(bars)
    first = max(warmup_bars, 1)
    if n - 1 < first:
        return ()
    chosen = {n - 1}
    chance = np.random.Generator(np.random.PCG64(seed))
    begins = np.flatnonzero(session_columns(bars, clock).first)
    begins = begins[(begins >= first) & (begins < n)]
    # A third each: a session has just ended, its first bar has just closed, it is under way.
    for session in _spread(begins, prefixes // 3, chance):
        chosen |= {int(session), min(int(session) + 1, n - 1)}
    while len(chosen) < min(prefixes, n - first):
        chosen.add(int(chance.integers(first, n)))
    return tuple(sorted(chosen))


def _spread(rows: NDArray[np.intp], count: int, chance: np.random.Generator) -> NDArray[np.intp]:
    """`count` of the rows, one at random out of each of as many equal stretches."""
    if len(rows) <= count:
        return rows
    edges = np.linspace(0, len(rows), count + 1).astype(np.intp)
    return np.array([rows[chance.integers(low, high)] for low, high in pairwise(edges)])


def cut(
    bars: Bars,
    others: Sequence[Bars],
    end: int,
    clock: SessionClock,
    calendar: ExchangeCalendar | None,
) -> MarketView:
    """The first `end` bars, and of every other symbol what had closed with them; copies, all of them."""
    part = _copy(bars, end)
    known_ns = int(part.opened_at_ns[-1]) + part.timeframe.span_ns
    closed = {
        other.symbol: _copy(
            other, int(np.searchsorted(other.opened_at_ns + other.timeframe.span_ns, known_ns, side="right"))
        )
        for other in others
    }
    return MarketView(part, clock=clock, calendar=calendar, others={part.symbol: part, **closed})


def _copy(bars: Bars, end: int) -> Bars:
    # A view would leave the future within reach, one attribute away.
    return Bars(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        opened_at_ns=bars.opened_at_ns[:end].copy(),
        **{name: getattr(bars, name)[:end].copy() for name in (*PRICE_COLUMNS, "volume")},
    )


def answers(strategy: Strategy, view: MarketView, parameters: Parameters) -> Answers:
    """Everything that a new strategy of that class computes over columns, by name."""
    fresh = type(strategy)()
    columns = fresh.features(view, parameters)
    features = Features(view, columns)
    found: Answers = {f"feature '{name}'": column for name, column in columns.items()}
    for name in _CONDITIONS:
        condition = getattr(fresh, name)(features, parameters)
        if condition is not None:
            found[name] = condition
    for name in _PLANS:
        if name == "plan" or type(fresh).plan_short is not Strategy.plan_short:
            found |= flat(getattr(fresh, name)(features, parameters), name)
    for name, column in found.items():
        if isinstance(column, np.ndarray) and column.shape != (len(view),):
            raise FixInput(f"{view.symbol}: {name} is {column.shape}, not one value per bar ({len(view)},)")
    return found


def rows_to_ask(part: Answers, end: int) -> list[int]:
    """The newest bars of a prefix on which `decide` would be called."""
    wake = part.get("wake")
    rows = np.arange(end) if wake is None else np.flatnonzero(wake)
    return [int(row) for row in rows[-DECISIONS_PER_PREFIX:]]


def decisions(strategy: Strategy, view: MarketView, parameters: Parameters, rows: Sequence[int]) -> Answers:
    """What a new strategy of that class decides on those rows, flat and holding, by name."""
    fresh = type(strategy)()
    columns: Mapping[str, Any] = fresh.features(view, parameters)
    found: Answers = {}
    for row in rows:
        for holding in (_FLAT, _held_since(view.bars, row)):
            moment = Moment(
                symbol=view.symbol,
                at=instant(int(view.opened_at_ns[row]) + view.timeframe.span_ns),
                bar=view.bars.bar(row),
                row=row,
                holding=holding,
                cash_usd=_CASH_USD,
                equity_usd=_CASH_USD,
                entry_pending=False,
                _features=columns,
            )
            intent: Intent | None = fresh.decide(moment, parameters)
            name = f"{_DECIDE}{'flat' if holding is _FLAT else 'holding'}, row {row}"
            found[name] = type(intent).__name__
            found |= flat(intent, name)
    return found


_FLAT: Final = Holding(units=0.0, entry_price=math.nan, opened_at=None, bars_held=0, stop=math.nan)


def _held_since(bars: Bars, row: int) -> Holding:
    """A long position of a hundred, entered on the bar before."""
    before = max(row - 1, 0)
    return Holding(
        units=100.0,
        entry_price=float(bars.close[before]),
        opened_at=instant(int(bars.opened_at_ns[before])),
        bars_held=row - before + 1,
        stop=math.nan,
    )


def flat(value: object, name: str) -> Answers:
    """The columns and single values inside a plan or an intent, by their path."""
    return dict(_flat(value, name))


def _flat(value: object, name: str) -> Iterator[tuple[str, Any]]:
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _flat(getattr(value, field.name), f"{name}.{field.name}")
        if isinstance(value, Price) and value.column is not None and value.reading is Reading.SAME:
            yield f"{name}{_SAME}", True
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            yield from _flat(item, f"{name}[{at}]")
    elif value is not None:
        yield name, value


_SAME: Final = " (reading SAME)"
_ABSENT: Final = "nothing"
_DECIDE: Final = "decide, "


def _left_out(part: Answers, whole: Answers) -> list[str]:
    """Names that the whole has and the prefix has not; decisions are asked for on other rows of each."""
    return [name for name in whole if name not in part and not name.startswith(_DECIDE)]


def compare(bars: Bars, name: str, end: int, on_prefix: Any, on_whole: Any) -> tuple[int, Difference | None]:
    """How many values of one answer were compared, and the first that differs."""
    if isinstance(on_prefix, np.ndarray) and isinstance(on_whole, np.ndarray):
        expected = on_whole[: len(on_prefix)]
        differs = np.flatnonzero(~_equal(on_prefix, expected))
        if len(differs) == 0:
            return len(on_prefix), None
        row = int(differs[0])
        return len(on_prefix), _difference(bars, name, row, end, on_prefix[row], expected[row])
    if _equal_values(on_prefix, on_whole):
        return 1, None
    return 1, _difference(bars, name, end - 1, end, on_prefix, on_whole)


def _equal(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    if np.issubdtype(one.dtype, np.inexact) and np.issubdtype(other.dtype, np.inexact):
        finite = np.abs(other[np.isfinite(other)])
        scale = float(finite.max()) if len(finite) else 0.0
        return np.asarray(np.isclose(one, other, rtol=RELATIVE, atol=RELATIVE * 1e-3 * scale, equal_nan=True))
    return np.asarray(one == other)


def _equal_values(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (
            one == other
            or (math.isnan(one) and math.isnan(other))
            or math.isclose(one, other, rel_tol=RELATIVE)
        )
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return False
    return bool(one == other)


def _difference(bars: Bars, name: str, row: int, end: int, on_prefix: Any, on_whole: Any) -> Difference:
    return Difference(
        symbol=bars.symbol,
        what=name,
        row=row,
        at=instant(int(bars.opened_at_ns[row])),
        prefix_rows=end,
        on_prefix=_shown(on_prefix),
        on_whole=_shown(on_whole),
    )


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "a column"
    if isinstance(value, float | np.floating):
        return f"{float(value):.10g}"
    return str(value)


def _row_of(difference: Difference | None) -> float:
    return math.inf if difference is None else difference.row
