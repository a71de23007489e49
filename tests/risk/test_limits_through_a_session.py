"""Every limit, from the file that states it to the order that is not sent: each is breached in a whole session.

The first half of each case keeps the limit and trades; the second breaches it, and nothing is entered (incident 37).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from magellan.engine import events as e
from magellan.engine.safety import Safety
from magellan.ledger.entries import BreakerReset
from magellan.risk.breakers import BreakerKind, BreakerLimits
from magellan.risk.limits import RiskLimits, Rule
from magellan.strategy.trade_plan import Limit, at_price
from magellan.trading.account import TradableAsset
from magellan.trading.order import OrderSide
from magellan.trading.purpose import OrderPurpose
from risk.small_session import OPEN, SESSION, BuysEveryThirdMinute, SmallSession

Happens = Callable[[SmallSession], None]


class BuysAtALimit(BuysEveryThirdMinute):
    """Its orders ask for 110 $ while the market is at 100 $."""

    entry = Limit(price=at_price(110.0))


def bars(*closes: float) -> Happens:
    def happen(small: SmallSession) -> None:
        for close in closes:
            small.bar(close)

    return happen


def start_and(then: Happens, **at: Any) -> Happens:
    def happen(small: SmallSession) -> None:
        small.start(**at)
        then(small)

    return happen


def a_late_bar(small: SmallSession) -> None:
    small.start().bar(100, late_s=10)


def a_bar_at_the_close(small: SmallSession) -> None:
    """The newest decision of the day: its order waits for the next opening."""
    small.start(OPEN + SESSION - timedelta(minutes=1))
    small.bar(100)


def a_loss_and_a_bar(usd: int) -> Happens:
    def happen(small: SmallSession) -> None:
        small.start()
        small.trade(-usd)
        small.sent.clear()
        small.bar(100)

    return happen


FIRST_BAR = start_and(bars(100))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A limit that is breached and one that is kept, and what happens either time."""

    tight: Any
    kept: Any
    happens: Happens = FIRST_BAR
    symbols: tuple[str, ...] = ("AMC",)
    allowed: int = 0  # entries that are sent all the same when the limit is breached: those before it
    setup: dict[str, Any] = field(default_factory=dict)


BOTH = ("AMC", "GME")

CASES: dict[str, Case] = {
    "order_usd_max": Case(tight=999.0, kept=1000.0),
    "order_units_max": Case(tight=9.0, kept=10.0),
    "price_collar_fraction_max": Case(tight=0.05, kept=0.2, setup={"strategy": BuysAtALimit()}),
    "position_usd_max": Case(tight=999.0, kept=1000.0),
    "position_fraction_max": Case(tight=0.0099, kept=0.01),
    "symbol_exposure_usd_max": Case(tight=999.0, kept=1000.0),
    "gross_exposure_fraction_max": Case(tight=0.019, kept=0.02, symbols=BOTH, allowed=1),
    "open_positions_max": Case(tight=1, kept=2, symbols=BOTH, allowed=1),
    "trades_per_day_max": Case(tight=1, kept=2, symbols=BOTH, allowed=1),
    "orders_per_minute_max": Case(tight=1, kept=2, symbols=BOTH, allowed=1),
    "orders_per_second_max": Case(tight=1, kept=2, symbols=BOTH, allowed=1),
    "loss_per_day_fraction_max": Case(tight=0.002, kept=0.003, happens=a_loss_and_a_bar(200)),
    "loss_per_day_usd_max": Case(tight=200.0, kept=201.0, happens=a_loss_and_a_bar(200)),
    "bar_age_s_max": Case(tight=9.0, kept=11.0, happens=a_late_bar),
    "account_age_s_max": Case(
        tight=60.0, kept=61.0
    ),  # the broker spoke at the open, a minute before the close
    "reconciliation_age_s_max": Case(tight=60.0, kept=61.0),
    "clock_skew_s_max": Case(
        tight=4.0, kept=5.0, happens=start_and(bars(100), broker_at=OPEN + timedelta(seconds=5))
    ),
    "entry_hours": Case(tight="open", kept="regular", happens=a_bar_at_the_close),
}


def stated(key: str, value: Any, case: Case, layer: str) -> SmallSession:
    """A session on an account whose file states the limit, or whose strategy does."""
    # Wider than the defaults, so that what an account says is the tightest.
    risk: dict[str, Any] = {"price_collar_fraction_max": 1.0, "clock_skew_s_max": 10.0}
    workspace: dict[str, Any] = {}
    if layer == "account":
        workspace = {"accounts": {"paper": {"kind": "paper", "number": "PA3", "risk": {key: value}}}}
    else:
        risk[key] = value
    return SmallSession(config={"risk": risk}, workspace=workspace, symbols=case.symbols, **case.setup)


STATED = [(key, layer) for key in CASES for layer in ("account", "strategy")]
OF_LIMITS = {"position_usd_max", "open_positions_max", "trades_per_day_max"} | {
    "loss_per_day_fraction_max",
    "loss_per_day_usd_max",
}


@pytest.mark.parametrize(
    ("key", "layer"), [each for each in STATED if each[1] == "account" or each[0] not in OF_LIMITS]
)
def test_an_entry_that_breaches_a_limit_is_recorded_as_denied_and_never_sent(key: str, layer: str) -> None:
    case = CASES[key]
    keeps = stated(key, case.kept, case, layer)
    case.happens(keeps)
    assert keeps.denied == []
    assert len(keeps.bought) == len(case.symbols)
    breaches = stated(key, case.tight, case, layer)
    case.happens(breaches)
    assert [denied.rule for denied in breaches.denied] == [key]
    assert breaches.denied[0].purpose is OrderPurpose.ENTRY
    assert len(breaches.bought) == case.allowed


@pytest.mark.parametrize("key", sorted(OF_LIMITS))
def test_a_strategys_own_limits_hold_in_a_session_as_in_a_backtest(key: str) -> None:
    case = CASES[key]
    units = {}
    for value in (case.kept, case.tight):
        small = SmallSession(config={"limits": {key: value}}, symbols=case.symbols)
        case.happens(small)
        units[value] = sum(request.quantity or 0 for request in small.bought)
    assert units[case.kept] == 10 * len(case.symbols)
    # A backtest makes an order smaller where its position would be too large, and skips it for the other limits.
    assert units[case.tight] == (9 if key == "position_usd_max" else 10 * case.allowed)


# --- What has no key ---------------------------------------------------------------------------------------------


def halted(small: SmallSession) -> None:
    small.tell(
        e.Operator(at=small.now, asks=e.OperatorAsks.HALT, person="Ada", reason="news", source="command")
    )


def symbol_halted(small: SmallSession) -> None:
    small.tell(e.SymbolHalted(at=small.now, symbol="AMC", halted=True, reason="T1"))


def lease_lapses(small: SmallSession) -> None:
    small.tell(e.LeaseTold(at=small.now, lapsed="desk has not renewed it for 10 s"))


def account_blocked(small: SmallSession) -> None:
    small.blocked = True
    small.broker_tells()


def account_silent(small: SmallSession) -> None:
    small.blocked = small.buying_power = None
    small.broker_tells()


def out_of_buying_power(small: SmallSession) -> None:
    small.buying_power = Decimal(999)
    small.broker_tells()


@pytest.mark.parametrize(
    ("before", "rule"),
    [
        (halted, Rule.HALTED),
        (symbol_halted, Rule.SYMBOL_HALTED),
        (lease_lapses, Rule.LEASE),
        (account_blocked, Rule.TRADING_BLOCKED),
        (account_silent, Rule.TRADING_BLOCKED),
        (out_of_buying_power, Rule.BUYING_POWER),
    ],
)
def test_what_closes_the_door_to_every_entry_closes_it_in_a_session(before: Happens, rule: Rule) -> None:
    small = SmallSession().start()
    before(small)
    small.bar(100)
    assert small.bought == []
    assert [denied.rule for denied in small.denied] == [rule]


def test_a_host_that_is_cut_off_leaves_what_it_holds_and_enters_again_once_its_lease_is_renewed() -> None:
    small = SmallSession().start()
    small.bar(100)
    assert small.held == {"AMC": Decimal(10)}
    lease_lapses(small)
    assert small.session.entries_refused == "the host's lease has lapsed: desk has not renewed it for 10 s"
    bars(100, 100, 100)(small)
    assert small.held == {"AMC": Decimal(0)}
    assert Rule.LEASE in {denied.rule for denied in small.denied}
    small.tell(e.LeaseTold(at=small.now, lapsed=""))
    assert small.session.entries_refused is None
    bars(100, 100)(small)
    small.broker_tells()  # minutes have passed since it last did
    small.bar(100)
    assert len(small.bought) == 2


def test_a_session_that_begins_under_a_lease_waits_for_its_renewal_and_calls_nobody_yet() -> None:
    small = SmallSession()
    small.now = OPEN
    awaited = "desk has not renewed it since this session began"
    small.tell(e.Started(at=OPEN, facts=small.facts(), history={}, source="small iex", lease_lapsed=awaited))
    small.tell(e.OrdersUp(at=OPEN))
    small.bar(100)
    assert small.bought == [] and Rule.LEASE in {denied.rule for denied in small.denied}
    assert small.alerts == [f"nothing is entered until the host's lease is renewed: {awaited}"]
    lease_lapses(small)
    assert "the host's lease has lapsed" in small.alerts[-1]
    small.tell(e.LeaseTold(at=small.now, lapsed=""))
    assert small.session.entries_refused is None


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({}, "the broker knows no AMC"),
        ({"AMC": False}, "AMC cannot be traded at this broker"),
        ({"AMC": True}, None),
        ({"AMC": None}, None),  # known, and of trading it says nothing
        (None, None),  # nobody asked
    ],
)
def test_a_session_of_a_symbol_that_its_broker_does_not_trade_does_not_begin(
    known: dict[str, bool | None] | None, told: str | None
) -> None:
    small = SmallSession()
    small.now = OPEN
    assets = None if known is None else {
        symbol: TradableAsset(
            symbol=symbol, tradable=tradable, shortable=None, easy_to_borrow=None, fractionable=None,
            marginable=None, asset_class="us_equity",
        )
        for symbol, tradable in known.items()
    }  # fmt: skip
    small.tell(e.Started(at=OPEN, facts=small.facts(), history={}, source="small iex", assets=assets))
    assert (small.stopped and small.stopped.reason) == told
    assert small.alerts == ([] if told is None else [told])


def test_a_session_whose_history_is_too_short_to_enter_says_so() -> None:
    small = SmallSession(
        config={"data": {"timeframe": "1Min", "warmup_bars": 3}}, symbols=("AMC", "GME")
    ).start()
    (told,) = small.alerts
    assert told.startswith(
        "data.warmup_bars asks for more than 3 bars before an entry; AMC has 0, GME has 0: nothing is entered"
    )
    for _ in range(3):
        small.bar(100)
    assert small.bought == []
    small.broker_tells()
    small.bar(100)
    assert len(small.bought) == 2
    assert small.alerts == [told]


def test_an_entry_that_waits_at_the_broker_is_withdrawn_when_the_lease_lapses() -> None:
    # Its limit is out of the market's reach, so it waits; this broker says so of whatever is withdrawn.
    small = SmallSession(strategy=BuysAtALimit(), config={"risk": {"price_collar_fraction_max": 0.5}}).start()
    small.bar(100)
    assert len(small.bought) == 1
    with pytest.raises(AssertionError, match=small.bought[0].client_order_id):
        lease_lapses(small)


# --- Breakers ----------------------------------------------------------------------------------------------------


def equity_falls(small: SmallSession) -> None:
    small.equity = Decimal(98_000)
    small.broker_tells()
    small.equity = None


def trades(*profits: int) -> Happens:
    def happen(small: SmallSession) -> None:
        for profit in profits:
            small.trade(profit)

    return happen


def refused(small: SmallSession) -> None:
    small.refuses = "insufficient buying power"
    small.bar(100)
    small.refuses = None
    small.bar(100)
    small.bar(100)


def failures(small: SmallSession) -> None:
    for _ in range(2):
        small.tell(e.Failed(at=small.now, where="bars", error="ValueError: no"))


def silence(small: SmallSession) -> None:
    small.bar(100)
    small.bar(100)
    for _ in range(5):
        small.wait(60)
    small.now += timedelta(minutes=1)  # the next bar but two is one to buy at


def foreign_position(small: SmallSession) -> None:
    small.held["AMC"] += 5
    for _ in range(3):
        small.broker_tells(after_s=8)
    small.held["AMC"] -= 5
    small.broker_tells()


@dataclass(frozen=True, kw_only=True)
class BreakerCase:
    """What trips a breaker by one of its keys. Without a key it always watches."""

    kind: BreakerKind
    happens: Happens
    tight: Any = None
    kept: Any = None
    beside: dict[str, Any] = field(default_factory=dict)


BREAKER_CASES: dict[str, BreakerCase] = {
    "daily_loss_fraction_max": BreakerCase(
        kind=BreakerKind.DAILY_LOSS, happens=equity_falls, tight=0.02, kept=0.021
    ),
    "daily_loss_usd_max": BreakerCase(
        kind=BreakerKind.DAILY_LOSS, happens=equity_falls, tight=2000.0, kept=2001.0
    ),
    "drawdown_fraction_max": BreakerCase(
        kind=BreakerKind.DRAWDOWN, happens=equity_falls, tight=0.02, kept=0.021
    ),
    "losing_trades_max": BreakerCase(
        kind=BreakerKind.LOSING_TRADES, happens=trades(-10, -10), tight=2, kept=3
    ),
    "win_rate_min": BreakerCase(
        kind=BreakerKind.WIN_RATE,
        happens=trades(10, -10, 10, -10, -10),
        tight=0.5,
        kept=0.4,
        beside={"win_rate_trades": 5},
    ),
    "win_rate_trades": BreakerCase(
        kind=BreakerKind.WIN_RATE,
        happens=trades(10, -10, 10, -10, -10),
        tight=5,
        kept=6,
        beside={"win_rate_min": 0.5},
    ),
    "rejects_per_hour_max": BreakerCase(kind=BreakerKind.REJECTS, happens=refused, tight=0, kept=1),
    "exceptions_per_hour_max": BreakerCase(kind=BreakerKind.EXCEPTIONS, happens=failures, tight=1, kept=2),
    "data_silence_s_max": BreakerCase(kind=BreakerKind.STALE_DATA, happens=silence, tight=250.0, kept=400.0),
    "books differ": BreakerCase(kind=BreakerKind.BOOKS_DIFFER, happens=foreign_position),
}
QUIET: dict[str, Any] = dict.fromkeys(
    (each.name for each in fields(BreakerLimits) if each.name != "win_rate_trades"), None
)


def watched(key: str, value: Any, case: BreakerCase) -> SmallSession:
    breakers = {**QUIET, **case.beside}
    if value is not None:
        breakers[key] = value
    return SmallSession(config={"risk": {"breakers": breakers}}).start()


@pytest.mark.parametrize("key", BREAKER_CASES)
def test_what_breaches_a_breakers_limit_ends_entries_until_a_person_resumes(key: str) -> None:
    case = BREAKER_CASES[key]
    if case.kept is not None:
        keeps = watched(key, case.kept, case)
        case.happens(keeps)
        assert keeps.tripped == []
    small = watched(key, case.tight, case)
    case.happens(small)
    assert small.tripped == [case.kind]
    small.sent.clear()
    small.broker_tells()
    for _ in range(3):
        small.bar(100)
    assert small.bought == []
    assert {denied.rule for denied in small.denied} == {Rule.BREAKERS}
    # A restart from the ledger finds it tripped; only a person lets go of it.
    again = SmallSession(config={"risk": {"breakers": QUIET}}, recorded=tuple(small.entries))
    again.cash, again.held = small.cash, small.held
    again.start(small.now + timedelta(seconds=20))
    assert again.session.entries_refused == f"tripped: {case.kind}"
    again.tell(
        e.Operator(
            at=again.now, asks=e.OperatorAsks.RESUME, person="Ada", reason="looked at it", source="command"
        )
    )
    assert "tripped" not in (again.session.entries_refused or "")
    resets = [entry.payload for entry in again.entries if isinstance(entry.payload, BreakerReset)]
    assert [(reset.breaker, reset.person, reset.reason) for reset in resets] == [
        (case.kind, "Ada", "looked at it")
    ]


def test_an_open_trade_is_left_though_everything_is_halted_and_tripped_incident_39() -> None:
    small = SmallSession(config={"risk": {"breakers": {**QUIET, "exceptions_per_hour_max": 0}}}).start()
    small.bar(100)
    assert small.held == {"AMC": Decimal(10)}
    failures(small)
    halted(small)
    symbol_halted(small)
    lease_lapses(small)
    account_silent(small)
    small.bar(100)
    small.bar(100)
    assert small.held == {"AMC": Decimal(0)}


def next_day(small: SmallSession) -> None:
    """The market closes at what the account is worth, and opens the next day."""
    account = small.facts().account
    small.last_equity = account.equity_usd
    small.now = (small.now + timedelta(days=1)).replace(hour=14, minute=30, second=0, microsecond=0)


@pytest.mark.parametrize("restarts", [False, True], ids=["one session", "a restart each day"])
def test_losing_days_in_a_row_end_entries(restarts: bool) -> None:
    breakers = {**QUIET, "losing_days_max": 2}
    small = SmallSession(config={"risk": {"breakers": breakers}}).start()
    for worth in (99_900, 99_800):
        assert small.tripped == []
        small.equity = Decimal(worth)
        small.broker_tells()
        next_day(small)
        if restarts:
            small = _restarted(small, breakers)
        else:
            small.broker_tells()
    assert small.tripped == [BreakerKind.LOSING_DAYS]


@pytest.mark.parametrize("restarts", [False, True], ids=["one session", "a restart each day"])
def test_what_yesterday_lost_is_not_todays_loss(restarts: bool) -> None:
    breakers = {**QUIET, "daily_loss_usd_max": 1500.0}
    small = SmallSession(config={"risk": {"breakers": breakers}}).start()
    small.equity = Decimal(99_000)
    small.broker_tells()
    next_day(small)
    small.equity = Decimal(98_000)
    if restarts:
        small = _restarted(small, breakers)
    small.broker_tells()
    assert small.tripped == []
    small.equity = Decimal(97_500)
    small.broker_tells()
    assert small.tripped == [BreakerKind.DAILY_LOSS]


def _restarted(small: SmallSession, breakers: dict[str, Any]) -> SmallSession:
    again = SmallSession(config={"risk": {"breakers": breakers}}, recorded=tuple(small.entries))
    again.equity, again.last_equity = small.equity, small.last_equity
    return again.start(small.now)


def operator(small: SmallSession, asks: e.OperatorAsks) -> None:
    small.tell(e.Operator(at=small.now, asks=asks, person="Ada", reason="news", source="command"))


def test_a_flatten_is_over_when_the_broker_shows_nothing_and_only_a_person_lets_entries_in_again() -> None:
    small = SmallSession().start()
    small.bar(100)
    operator(small, e.OperatorAsks.FLATTEN)
    assert small.held == {"AMC": Decimal(0)}
    assert small.sent[-1].side is OrderSide.SELL
    assert "flat: the broker shows neither a position nor an open order" not in small.alerts
    small.wait(10)
    assert small.asked > 0
    small.broker_tells()
    assert "flat: the broker shows neither a position nor an open order" in small.alerts
    small.sent.clear()
    for _ in range(4):
        small.bar(100)
    assert small.bought == []
    operator(small, e.OperatorAsks.RESUME)
    small.broker_tells()
    for _ in range(3):
        small.bar(100)
    assert len(small.bought) == 1


def test_whoever_reads_the_ledger_of_a_flattened_account_knows_what_the_session_knows() -> None:
    small = SmallSession().start()
    small.bar(100)
    found = []
    for happens in (
        lambda: operator(small, e.OperatorAsks.FLATTEN),
        small.broker_tells,
        lambda: operator(small, e.OperatorAsks.RESUME),
    ):
        happens()
        read = Safety(BreakerLimits())
        for entry in small.entries:
            read.fold(entry)
        found.append(str(read.switch.state))
        assert read.switch.refuses_entries == (small.session.entries_refused is not None)
    assert found == ["flattening", "flat", "running"]


def test_the_first_resume_during_a_flatten_holds_what_is_left_and_the_second_lets_entries_in() -> None:
    small = SmallSession().start()
    small.bar(100)
    small.refuses = "the symbol is halted"
    operator(small, e.OperatorAsks.FLATTEN)
    assert small.held == {"AMC": Decimal(10)}
    operator(small, e.OperatorAsks.RESUME)
    assert small.session.entries_refused == "halted"
    again = SmallSession(recorded=tuple(small.entries))
    again.cash, again.held = small.cash, small.held
    again.start(small.now + timedelta(seconds=20))
    assert again.session.entries_refused == "halted"
    operator(again, e.OperatorAsks.RESUME)
    assert again.session.entries_refused is None


def test_what_is_not_ours_keeps_a_flatten_going_and_the_broker_is_not_pestered() -> None:
    small = SmallSession().start()
    operator(small, e.OperatorAsks.FLATTEN)
    small.held["AMC"] += 3  # somebody else's
    small.asked = 0
    for _ in range(100):
        small.broker_tells(after_s=0.1)
    assert small.asked <= 10
    assert "flat: the broker shows neither a position nor an open order" not in small.alerts


def test_a_profit_of_any_size_trips_nothing_in_a_session_incident_45() -> None:
    small = SmallSession().start()
    for profit in (10, 5_000, 50_000):
        small.trade(profit)
    assert small.tripped == []


# --- Nothing is left out -----------------------------------------------------------------------------------------


def test_every_limit_is_breached_in_a_whole_session() -> None:
    assert set(CASES) == {each.name for each in fields(RiskLimits)}
    in_days = {"losing_days_max"}
    assert set(BREAKER_CASES) - {"books differ"} | in_days == {each.name for each in fields(BreakerLimits)}
