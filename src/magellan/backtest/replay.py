"""Replay: carry a strategy's decisions through the archived bars, and keep every fill and decision."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from magellan.archive.adjust import first_row_from
from magellan.backtest import records as r
from magellan.backtest.market import Market
from magellan.backtest.masks import (
    DECLARED,
    PackedMask,
    SymbolDecisions,
    Words,
    mask_words,
    packed,
    session_ends,
    timed_masks,
)
from magellan.backtest.plan_arrays import PlanTable, cost_array, rules_array
from magellan.errors import AskOperator
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import Market as MarketOrder
from magellan.strategy.trade_plan import TimeInForce, TradePlan
from magellan.trading.bar import instant
from magellan.trading.corporate_action import CashDividend, CorporateAction, Split
from magellan.trading.session import exchange_date
from magellan.workspace.config import AccountTerms, ExecutionTerms, InstrumentTerms, Limits

_FIRST_ROOM = 4096
_ROWS_PER_FILL = 16  # rarely will more fills than one in so many bars come about


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Everything of a config that the replay itself reads."""

    execution: ExecutionTerms = field(default_factory=ExecutionTerms)
    account: AccountTerms = field(default_factory=AccountTerms)
    limits: Limits = field(default_factory=Limits)
    instruments: dict[str, InstrumentTerms] | None = None
    warmup_bars: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replayed:
    """What a replay leaves behind."""

    fills: NDArray[np.void]  # records.fill_t, in time order
    decisions: NDArray[np.void]  # records.decision_t, in time order
    blocked: NDArray[np.int64]  # count per reason of records.BLOCKED
    positions: NDArray[np.void]  # records.position_t at the end, shape (symbols,)
    cash_usd: float
    trades: int
    dividends_usd: float
    financing_usd: float
    wakes: int
    own_reasons: tuple[str, ...]  # words for reasons from records.OWN_REASONS on


OnWake = Callable[["Run", int, int], None]  # (run, symbol, row): decide there


class Run:
    """One replay under way: the arrays that the compiled kernel works on.

    A run can be started again with other decisions on the same market: what does not change is kept.

    changing, at_first: words of memory that hold all of the state but fills and decisions, now and at the beginning.
    """

    def __init__(
        self,
        market: Market,
        decisions: Sequence[SymbolDecisions],
        terms: Terms,
        *,
        views: Sequence[MarketView],
        actions: Sequence[CorporateAction] = (),
        wake_everywhere: bool = False,
        keeps_decisions: bool = True,
    ) -> None:
        self.market = market
        self.terms = terms
        self._views = views
        self._keeps_decisions = keeps_decisions
        if wake_everywhere and terms.warmup_bars:
            # Woken on every bar but those of the warm-up.
            wake_everywhere = False
            decisions = [
                replace(decided, wake=np.ones(len(bars), dtype=bool))
                for decided, bars in zip(decisions, market, strict=True)
            ]
        days = wake_everywhere or _needs_days(decisions, terms)
        self.arrays = r.MarketArrays(
            market.opened_at_ns,
            market.open,
            market.high,
            market.low,
            market.close,
            market.volume,
            market.offsets,
            np.zeros(0, dtype=np.int32),
            np.zeros(0, dtype=np.uint64),
        )
        if days:
            self._know_sessions()
        self.actions = _action_arrays(market, actions)
        self.state, self.changing = _first_state(market, terms, self.actions)
        self.at_first = self.changing.copy()
        self._rules = rules_array(
            terms.execution,
            terms.account,
            terms.limits,
            span_ns=market.timeframe.span_ns,
            wake_everywhere=wake_everywhere,
        )
        self._costs = cost_array(market.symbols, terms.execution, terms.instruments or {})
        self.wakes = 0
        self.own_reasons: list[str] = []
        self._taken_up: Sequence[SymbolDecisions] | None = None
        self._words = Words(market.offsets)
        self._take_up(decisions)

    def restart(self, decisions: Sequence[SymbolDecisions]) -> None:
        """Go back to the beginning, with other decisions."""
        self.changing[:] = self.at_first
        self.wakes = 0
        self.own_reasons = []
        known = self._taken_up
        if known is not None and _same_but_for_masks(decisions, known):
            self._change_masks(known, decisions)
            return
        self._taken_up = None
        if len(self.arrays.day) == 0 and _needs_days(decisions, self.terms):
            self._know_sessions()
        self._take_up(decisions)

    def masks_of(self, decisions: Sequence[SymbolDecisions]) -> tuple[PackedMask, ...] | None:
        """The masks of decisions that differ from this run's by masks alone, in the order of `DECLARED`; else None."""
        known = self._taken_up
        if known is None or not _same_but_for_masks(decisions, known):
            return None
        return tuple([self._packed(decisions, name, late) for name, late in DECLARED])

    def _packed(self, decisions: Sequence[SymbolDecisions], name: str, late: bool) -> PackedMask:
        masks = [getattr(decided, name) for decided in decisions]
        return self._words.of(masks, self.terms.warmup_bars if late else 0)

    def _know_sessions(self) -> None:
        self.arrays = self.arrays._replace(
            day=_joined_days(self._views),
            session_ends=packed([session_ends(view) for view in self._views], self.market.offsets),
        )

    def _take_up(self, decisions: Sequence[SymbolDecisions]) -> None:
        self.plans = PlanTable(self.market.offsets)
        plan_of = np.zeros((len(decisions), 2), dtype=np.int64)
        for s, decided in enumerate(decisions):
            plan_of[s, 0] = self.plans.add(decided.plan_long, s)
            same = decided.plan_short is decided.plan_long
            plan_of[s, 1] = plan_of[s, 0] if same else self.plans.add(decided.plan_short, s)
        table, levels, columns = self.plans.arrays()
        self.rules = r.RunRules(self._rules, self._costs, table, levels, plan_of, columns)
        timed = timed_masks(self.market, decisions, self._views)
        self.masks = mask_words(self._words, decisions, self.terms.warmup_bars, *timed)
        self._locate()
        self._taken_up = decisions

    def _change_masks(self, before: Sequence[SymbolDecisions], after: Sequence[SymbolDecisions]) -> None:
        """Let the run read other masks: of neighbours in a grid all but one are the same arrays."""
        self._taken_up = None  # until all of it is there
        both = list(zip(before, after, strict=True))
        for name, late in DECLARED:
            if any(getattr(old, name) is not getattr(new, name) for old, new in both):
                mask = self._packed(after, name, late)
                self.masks = self.masks._replace(**{name: mask.words})
                self.located[name] = mask.address
        self._taken_up = after

    def carry_on(self, on_wake: OnWake | None = None) -> Replayed:
        """Replay to the end of the bars.

        Raises AskOperator when a position would be held through a jump that no corporate action explains.
        """
        from magellan.backtest.replay_kernel import replay

        while True:
            answer = replay(self.located)
            if answer == r.DONE:
                return self._replayed()
            if answer == r.GROW:
                self.state = _grown(self.state)
                self._locate()
                continue
            account = self.state.account[0]
            symbol, row = int(account["symbol"]), int(account["row"])
            if answer == r.BREAK:
                raise self._jump(symbol, row)
            assert on_wake is not None, "a replay wakes only for a strategy that decides in Python"
            self.wakes += 1
            on_wake(self, symbol, row)

    def add_plan(self, plan: TradePlan, symbol: int) -> int:
        """Take up a plan that a decision brought along; returns its number."""
        number = self.plans.add(plan, symbol)
        plans, levels, _ = self.plans.arrays()
        self.rules = self.rules._replace(plans=plans, levels=levels)
        self._locate()
        return number

    def reads_the_future(self) -> tuple[str, ...]:
        """In words, what the plans read on the very bar that is being filled; empty for an honest run."""
        same = self.rules.levels["reading"] == r.READ_SAME
        return (
            ("a plan price is read on the bar that is being filled: it sees the future",)
            if same.any()
            else ()
        )

    def reason_code(self, reason: str) -> int:
        """The number that stands for a reason of the strategy's own."""
        if reason not in self.own_reasons:
            self.own_reasons.append(reason)
        return r.OWN_REASONS + self.own_reasons.index(reason)

    def _locate(self) -> None:
        """Tell compiled code where the arrays lie; anew whenever one of them has been replaced."""
        from magellan.backtest.run_memory import context

        self.located = context(
            self.arrays,
            self.masks,
            self.state,
            self.rules,
            self.actions,
            keeps_decisions=self._keeps_decisions,
        )

    def _replayed(self) -> Replayed:
        account = self.state.account[0]
        return Replayed(
            fills=self.state.fills[: int(account["fills"])],
            decisions=self.state.decisions[: int(account["decisions"])],
            blocked=self.state.blocked,
            positions=self.state.positions,
            cash_usd=float(account["cash"]),
            trades=int(account["trades"]),
            dividends_usd=float(account["dividends"]),
            financing_usd=float(account["financing"]),
            wakes=self.wakes,
            own_reasons=tuple(self.own_reasons),
        )

    def _jump(self, symbol: int, row: int) -> AskOperator:
        market = self.market
        position = self.state.positions[symbol]
        name = market.symbols[symbol]
        factor = market.open[row] / market.close[row - 1]
        at, entered = self._written_at(row), self._written_at(int(position["entry_row"]))
        on = at if market.timeframe.is_daily else exchange_date(instant(int(market.opened_at_ns[row])))
        ratio = f"1:{factor:.3g}" if factor > 1 else f"{1 / factor:.3g}:1"
        return AskOperator(
            f"{name}: the price jumps x{factor:.4g} at {at}, no corporate action on record explains it, and a "
            f"position of {position['units']:g} units, entered in the bar of {entered}, would be held through it",
            kept="nothing was written; the run stopped before the jump",
            next_step=f"if it was a split (by the prices, about {ratio}): `magellan data split {name} --on {on} "
            f"--ratio NEW:OLD`; if the price really moved: `magellan data confirm {name} --at {at} --reason TEXT "
            "--by NAME`; then run again",
        )

    def _written_at(self, row: int) -> str:
        """When a row's bar opened, as commands take it: the date of a daily bar, else the instant in UTC."""
        at = instant(int(self.market.opened_at_ns[row]))
        return f"{at:%Y-%m-%d}" if self.market.timeframe.is_daily else f"{at:%Y-%m-%dT%H:%MZ}"


def _first_state(
    market: Market, terms: Terms, actions: r.ActionArrays
) -> tuple[r.RunState, NDArray[np.int64]]:
    """A state before the first bar, and the words behind all of it but fills and decisions."""
    symbols = len(market.symbols)
    layouts = (
        (r.account_t, (1,)),
        (r.position_t, (symbols,)),
        (r.entry_t, (symbols, r.ENTRY_SLOTS)),
        (np.dtype(np.int64), (len(r.BLOCKED),)),
    )
    ends = np.cumsum([math.prod(shape) * layout.itemsize // 8 for layout, shape in layouts])
    words = np.zeros(ends[-1], dtype=np.int64)
    account, positions, entries, blocked = (
        part.view(layout).reshape(shape)
        for part, (layout, shape) in zip(np.split(words, ends[:-1]), layouts, strict=True)
    )
    account["cash"] = terms.account.cash_usd
    account["day"] = -(2**31)
    account["day_equity"] = terms.account.cash_usd
    for name in ("entry_price", "came_in", "stop", "trail", "risk"):
        positions[name] = np.nan
    positions["closed_row"] = -1
    positions["taken_row"] = -1
    positions["target_row"] = -1
    positions["mark"] = market.offsets[:-1]
    positions["action"] = actions.offsets[:-1]
    # The first bar of every symbol is looked at: what comes next is found from there.
    positions["next"] = market.offsets[:-1]
    # Room that is not used costs nothing: memory of zeros is only there once it is written to.
    room = max(_FIRST_ROOM, 64 * symbols, len(market) // _ROWS_PER_FILL)
    fills, decisions = np.zeros(room, dtype=r.fill_t), np.zeros(room, dtype=r.decision_t)
    return r.RunState(account, positions, entries, fills, decisions, blocked), words


def _needs_days(decisions: Sequence[SymbolDecisions], terms: Terms) -> bool:
    """Whether any rule of the run asks for session dates. Computing them for 10 million bars takes a while.

    A run that decides in Python always needs them: a decision may bring along a plan with any time in force.
    """
    limits = terms.limits
    if limits.trades_per_day_max or limits.loss_per_day_fraction_max or limits.loss_per_day_usd_max:
        return True
    if terms.execution.volume_share_max is not None or terms.execution.borrow_rate > 0:
        return True
    for decided in decisions:
        for plan in (decided.plan_long, decided.plan_short):
            plain = isinstance(plan.entry, MarketOrder) and plan.entry.at is None
            if not plain or plan.entry.time_in_force is not TimeInForce.DAY:
                return True
        if decided.wake is not None:
            return True
    return False


def _joined_days(views: Sequence[MarketView]) -> NDArray[np.int32]:
    return np.concatenate([view.day for view in views]) if len(views) > 1 else views[0].day


def _same_but_for_masks(some: Sequence[SymbolDecisions], others: Sequence[SymbolDecisions]) -> bool:
    """Whether the plans are the very same, and it is the same symbols that are woken."""
    return all(
        one.plan_long is other.plan_long
        and one.plan_short is other.plan_short
        and (one.wake is None) == (other.wake is None)
        for one, other in zip(some, others, strict=True)
    )


def _action_arrays(market: Market, actions: Sequence[CorporateAction]) -> r.ActionArrays:
    """Splits and dividends as rows of the market; those outside a symbol's bars are left out."""
    found: list[tuple[int, int, float, float, datetime]] = []
    for s, bars in enumerate(market.bars):
        for action in actions:
            if action.symbol != bars.symbol:
                continue
            if isinstance(action, Split):
                at, factor, dividend = action.effective_at, action.share_factor, 0.0
            elif isinstance(action, CashDividend):
                at, factor, dividend = action.ex_at, 1.0, float(action.amount_usd)
            else:
                continue
            row = first_row_from(bars, at)
            if 0 < row < len(bars):
                found.append((s, int(market.offsets[s]) + row, factor, dividend, at))
    # In the order of their instants; at the same one the split first, as a dividend's amount is per share of the
    # basis in force at its ex-date.
    found.sort(key=lambda one: (one[0], one[1], one[4], one[3] != 0.0))
    counts = (
        np.bincount([one[0] for one in found], minlength=len(market.bars))
        if found
        else np.zeros(len(market.bars))
    )
    return r.ActionArrays(
        np.array([one[1] for one in found], dtype=np.int64),
        np.array([one[2] for one in found], dtype=np.float64),
        np.array([one[3] for one in found], dtype=np.float64),
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
    )


def _grown(state: r.RunState) -> r.RunState:
    """The same state with four times the room for fills and decisions."""
    fills = np.zeros(4 * len(state.fills), dtype=r.fill_t)
    fills[: len(state.fills)] = state.fills
    decisions = np.zeros(4 * len(state.decisions), dtype=r.decision_t)
    decisions[: len(state.decisions)] = state.decisions
    return state._replace(fills=fills, decisions=decisions)


def replay_columns(
    market: Market,
    decisions: Sequence[SymbolDecisions],
    terms: Terms,
    *,
    views: Sequence[MarketView] | None = None,
    actions: Sequence[CorporateAction] = (),
) -> Replayed:
    """Replay decisions that are given as columns. `views` default to the bars on the exchange's clock."""
    run = Run(market, decisions, terms, views=views or [MarketView(bars) for bars in market], actions=actions)
    return run.carry_on()
