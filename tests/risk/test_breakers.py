"""Breakers: they trip on losses and faults, never on a profit, and stay tripped until a person resets them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.risk.breakers import (
    TRANSITIONS,
    BooksDiffered,
    BreakerEvent,
    BreakerEventKind,
    BreakerKind,
    BreakerLimits,
    Breakers,
    BreakerState,
    CashMoved,
    DataSilent,
    DayBegan,
    EquityTold,
    ExceptionRaised,
    OrderRejected,
    RecordsUnreadable,
    Reset,
    TradeEnded,
    Trip,
    after,
    at_start,
    fold,
    folded,
)
from magellan.risk.limits import Allow, Deny, Rule, check_order
from magellan.trading.purpose import OrderPurpose
from risk.orders import ALL_SET, order, view

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
DAY = date(2026, 3, 2)

# Every breaker watches, each at a limit of its own.
LIMITS = BreakerLimits(
    daily_loss_fraction_max=Decimal("0.03"),
    daily_loss_usd_max=Decimal(2500),
    drawdown_fraction_max=Decimal("0.2"),
    losing_trades_max=3,
    losing_days_max=3,
    win_rate_min=Decimal("0.4"),
    win_rate_trades=10,
    rejects_per_hour_max=3,
    exceptions_per_hour_max=2,
    data_silence_s_max=Decimal(300),
)


def run(
    events: list[BreakerEvent], limits: BreakerLimits = LIMITS, start: Breakers | None = None
) -> tuple[Breakers, list[Trip]]:
    """The breakers after those events, and what tripped on the way."""
    breakers, trips = start or Breakers(), []
    for event in events:
        breakers, found = after(breakers, event, limits)
        trips += found
    return breakers, trips


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def day(on: int, equity: int | None = 100_000) -> DayBegan:
    return DayBegan(
        at=START + timedelta(days=on),
        session_on=DAY + timedelta(days=on),
        equity_usd=None if equity is None else Decimal(equity),
    )


def equity(usd: float, minutes: float = 1) -> EquityTold:
    return EquityTold(at=at(minutes), equity_usd=Decimal(str(usd)))


def trade(profit: float) -> TradeEnded:
    return TradeEnded(at=at(1), profit_usd=Decimal(str(profit)))


def reset(kind: BreakerKind | None = None) -> Reset:
    return Reset(at=at(100), kind=kind, person="Ada", reason="looked at it")


# --- The table -------------------------------------------------------------------------------------------------


def test_every_state_has_an_exit_for_every_event_incident_35() -> None:
    assert set(TRANSITIONS) == set(BreakerState)
    for row in TRANSITIONS.values():
        assert set(row) == set(BreakerEventKind)


def test_only_a_reset_arms_a_tripped_breaker_and_only_a_breach_or_damage_trips_one() -> None:
    arming = {
        event for event, then in TRANSITIONS[BreakerState.TRIPPED].items() if then is BreakerState.ARMED
    }
    tripping = {
        event for event, then in TRANSITIONS[BreakerState.ARMED].items() if then is BreakerState.TRIPPED
    }
    assert arming == {BreakerEventKind.RESET}
    assert tripping == {BreakerEventKind.BREACHED, BreakerEventKind.UNREADABLE}


# --- Each breaker, at its limit and just before ------------------------------------------------------------------

WON_SOME = [trade(1)] * 4
CASES: dict[BreakerKind, tuple[list[BreakerEvent], list[BreakerEvent]]] = {
    # kind: (what does not trip it yet, what then does)
    BreakerKind.DAILY_LOSS: ([day(0), equity(100_000), equity(97_501)], [equity(97_500)]),
    BreakerKind.DRAWDOWN: (
        [day(0, 50_000), equity(50_000), day(1, 40_001), equity(40_001)],
        [day(2, 40_000), equity(40_000)],
    ),
    BreakerKind.LOSING_TRADES: ([trade(-1), trade(-1)], [trade(-1)]),
    BreakerKind.LOSING_DAYS: (
        [day(0), equity(99_999), day(1, 99_999), equity(99_998), day(2, 99_998), equity(99_997)],
        [day(3, 99_997)],
    ),
    BreakerKind.WIN_RATE: (
        [trade(-1), trade(1), trade(-1), trade(-1), trade(1), trade(-1), trade(-1), trade(1), trade(-1)],
        [trade(-1)],
    ),
    BreakerKind.REJECTS: (
        [OrderRejected(at=at(minute), reason="wash trade") for minute in (0, 1, 2)],
        [OrderRejected(at=at(59), reason="wash trade")],
    ),
    BreakerKind.EXCEPTIONS: (
        [ExceptionRaised(at=at(minute), where="decide") for minute in (0, 1)],
        [ExceptionRaised(at=at(2), where="decide")],
    ),
    BreakerKind.STALE_DATA: (
        [DataSilent(at=at(5), silent_s=Decimal(300), source="alpaca iex")],
        [DataSilent(at=at(6), silent_s=Decimal(301), source="alpaca iex")],
    ),
    BreakerKind.BOOKS_DIFFER: ([], [BooksDiffered(at=at(1), difference="we hold 5 AMC, the broker 4")]),
    BreakerKind.RECORDS: ([], [RecordsUnreadable(at=at(1), why="entry 7 was changed")]),
}


@pytest.mark.parametrize("kind", BreakerKind)
def test_a_breaker_trips_at_its_limit_and_not_before_incident_37(kind: BreakerKind) -> None:
    quiet, breach = CASES[kind]
    armed, none = run(quiet)
    assert (armed.tripped, none) == ((), [])
    tripped, trips = run(breach, start=armed)
    assert [trip.kind for trip in trips] == [kind]
    assert trips[0].reason
    assert tripped.tripped == (kind,)


@pytest.mark.parametrize("kind", BreakerKind)
def test_a_tripped_breaker_refuses_entries_and_no_exit(kind: BreakerKind) -> None:
    tripped, _ = run([*CASES[kind][0], *CASES[kind][1]])
    state = view(breakers_tripped=tuple(map(str, tripped.tripped)))
    answer = check_order(order(), OrderPurpose.ENTRY, state, ALL_SET)
    assert isinstance(answer, Deny)
    assert answer.rule is Rule.BREAKERS
    assert kind in answer.reason
    leaving = view(breakers_tripped=(str(kind),), position_units=Decimal(-10))
    assert check_order(order(), OrderPurpose.EXIT, leaving, ALL_SET) == Allow()


@pytest.mark.parametrize("kind", BreakerKind)
def test_a_tripped_breaker_outlives_days_profits_and_restarts_until_a_person_resets_it(
    kind: BreakerKind,
) -> None:
    recorded: list[BreakerEvent] = [*CASES[kind][0], *CASES[kind][1]]
    tripped, trips = run(recorded)
    later: list[BreakerEvent] = [
        day(5, 10**6),
        equity(10**7),
        *[trade(10**6)] * 30,
        day(6, 10**7),
        equity(10**8),
    ]
    still, again = run(later, start=tripped)
    assert (still.tripped, again) == ((kind,), [])
    # After a restart, from the ledger alone, whatever the limits are now.
    assert fold([*recorded, *trips, *later]).tripped == (kind,)
    armed, again = run([reset(kind)], start=still)
    assert (armed.tripped, again) == ((), [])


@pytest.mark.parametrize("kind", BreakerKind)
def test_a_reset_begins_the_count_anew(kind: BreakerKind) -> None:
    """What a person has seen and accepted does not trip again; the same once more does."""
    quiet, breach = CASES[kind]
    tripped, _ = run([*quiet, *breach])
    armed, _ = run([reset(kind)], start=tripped)
    if kind not in (BreakerKind.STALE_DATA, BreakerKind.BOOKS_DIFFER, BreakerKind.RECORDS):
        told = armed.equity_usd
        same, trips = run([] if told is None else [EquityTold(at=at(101), equity_usd=told)], start=armed)
        assert (same.tripped, trips) == ((), [])
    if kind not in (BreakerKind.DAILY_LOSS, BreakerKind.DRAWDOWN, BreakerKind.LOSING_DAYS):
        _, trips = run([*quiet, *breach], start=armed)
        assert kind in {trip.kind for trip in trips}


def test_several_breakers_are_tripped_at_once_and_reset_one_by_one_or_together() -> None:
    both, trips = run(
        [*CASES[BreakerKind.LOSING_TRADES][0], trade(-1), *CASES[BreakerKind.DAILY_LOSS][0], equity(1)]
    )
    assert both.tripped == (BreakerKind.DAILY_LOSS, BreakerKind.DRAWDOWN, BreakerKind.LOSING_TRADES)
    assert len(trips) == 3
    one = folded(both, reset(BreakerKind.DRAWDOWN))
    assert one.tripped == (BreakerKind.DAILY_LOSS, BreakerKind.LOSING_TRADES)
    assert folded(one, reset()).tripped == ()


def test_the_first_trip_is_the_one_that_is_told() -> None:
    breakers, trips = run([day(0), equity(97_000), equity(50_000, 2)])
    assert [trip.kind for trip in trips] == [BreakerKind.DAILY_LOSS, BreakerKind.DRAWDOWN]
    assert "lost 3,000.00 $" in breakers.trips[BreakerKind.DAILY_LOSS].reason


@pytest.mark.parametrize(("person", "reason"), [("", "why"), (" ", "why"), ("Ada", ""), ("Ada", "\t")])
def test_a_reset_names_a_person_and_a_reason(person: str, reason: str) -> None:
    with pytest.raises(ValueError, match="names a person and a reason"):
        Reset(at=START, kind=None, person=person, reason=reason)


# --- Signs -------------------------------------------------------------------------------------------------------

PROFITS = st.decimals("0.01", "1e9", places=2)


@given(
    gains=st.lists(
        st.one_of(
            PROFITS.map(lambda usd: ("equity", usd)),
            PROFITS.map(lambda usd: ("trade", usd)),
            st.just(("day", Decimal(0))),
            st.just(("trade", Decimal(0))),
        ),
        max_size=40,
    )
)
@settings(max_examples=200)
def test_gains_of_any_size_never_trip_anything_incident_45(gains) -> None:
    breakers, on, now = run([day(0), equity(100_000)])[0], 0, Decimal(100_000)
    for what, usd in gains:
        if what == "equity":
            now += usd
            event: BreakerEvent = EquityTold(at=at(1), equity_usd=now)
        elif what == "trade":
            event = TradeEnded(at=at(1), profit_usd=usd)
        else:
            on += 1
            event = DayBegan(
                at=START + timedelta(days=on), session_on=DAY + timedelta(days=on), equity_usd=now
            )
        breakers, trips = after(breakers, event, LIMITS)
        assert trips == ()
    assert breakers.losing_trades == breakers.losing_days == 0


@given(
    trades=st.lists(st.decimals("-1000", "1000", places=2), min_size=1, max_size=60),
    start=st.booleans(),
)
@settings(max_examples=200)
def test_a_trade_that_won_never_trips_whatever_came_before(trades, start) -> None:
    breakers = Breakers()
    for profit in trades:
        breakers, trips = after(breakers, TradeEnded(at=at(1), profit_usd=profit), LIMITS)
        assert profit < 0 or trips == ()


@given(
    told=st.lists(st.integers(50_000, 200_000), min_size=1, max_size=30),
    moved=st.lists(st.integers(-40_000, 400_000), min_size=1, max_size=30),
)
@settings(max_examples=200)
def test_money_that_is_brought_or_taken_out_is_neither_a_loss_nor_a_profit(told, moved) -> None:
    """Between two words of the broker cash comes or goes, and equity with it: nothing trips by that."""
    breakers, _ = run([day(0), equity(told[0])], BreakerLimits())
    now = Decimal(told[0])
    for usd in moved:
        if now + usd < 1000:
            continue
        now += usd
        breakers, trips = run(
            [CashMoved(at=at(2), amount_usd=Decimal(usd)), EquityTold(at=at(3), equity_usd=now)],
            BreakerLimits(),
            start=breakers,
        )
        assert trips == []
        assert breakers.profit_today_usd == told[0] - 100_000


def test_what_an_account_is_opened_with_is_no_deposit() -> None:
    first: list[BreakerEvent] = [
        equity(100_000),
        CashMoved(at=at(1), amount_usd=Decimal(100_000)),
        day(0),
        equity(100_000),
    ]
    breakers, trips = run(first, BreakerLimits())
    assert trips == []
    assert (breakers.peak_equity_usd, breakers.profit_today_usd) == (100_000, 0)


def test_a_deposit_hides_no_drawdown_and_a_withdrawal_makes_none() -> None:
    fallen = [day(0, 100_000), equity(100_000), day(1, 85_000), equity(85_000)]
    for usd in (1_000_000, -50_000):
        moved, trips = run([*fallen, CashMoved(at=at(2), amount_usd=Decimal(usd))])
        assert BreakerKind.DRAWDOWN not in {trip.kind for trip in trips}
        fraction = 1 - moved.equity_usd / moved.peak_equity_usd
        assert fraction == pytest.approx(Decimal("0.15"))


@pytest.mark.parametrize("left", [0, -2000])
def test_money_for_an_account_that_has_lost_all_hides_no_drawdown(left: int) -> None:
    ruined = [day(0, 50_000), equity(50_000), equity(left)]
    moved, _ = run([*ruined, CashMoved(at=at(2), amount_usd=Decimal(10_000))])
    assert (moved.equity_usd, moved.peak_equity_usd) == (left + 10_000, 60_000)


# --- Days and streaks ---------------------------------------------------------------------------------------------


def test_a_days_loss_begins_at_zero_and_streaks_and_the_highest_equity_go_on_incident_45() -> None:
    breakers, trips = run([day(0), equity(99_000), trade(-1), day(1, 99_000), equity(98_000), trade(-1)])
    assert trips == []
    assert breakers.profit_today_usd == -1000
    assert (breakers.losing_days, breakers.losing_trades) == (1, 2)
    assert breakers.peak_equity_usd == 99_000  # the broker never said 100,000 while we listened


def test_a_restart_within_the_day_changes_neither_its_start_nor_the_streak() -> None:
    before, _ = run([day(0), equity(99_000)])
    again, _ = run([day(0, 99_000), equity(98_500)], start=before)
    assert again.profit_today_usd == -1500
    assert again.losing_days == 0


def test_a_day_that_began_unheard_begins_when_the_broker_speaks() -> None:
    silent, _ = run([day(0, None)])
    assert silent.profit_today_usd is None
    heard, _ = run([day(0), equity(99_000)], start=silent)
    assert heard.profit_today_usd == -1000


def test_a_calendar_that_runs_backwards_changes_nothing() -> None:
    before, _ = run([day(3), equity(99_000)])
    assert run([day(1, 50_000)], start=before)[0] == before


def test_a_trade_that_ended_at_zero_ends_no_streak_and_makes_none_longer() -> None:
    breakers, _ = run([trade(-1), trade(0), trade(-1)])
    assert breakers.losing_trades == 2
    assert breakers.trades_won == (False, False)


def test_rejects_an_hour_apart_are_not_many() -> None:
    _, trips = run([OrderRejected(at=at(21 * n), reason="no") for n in range(50)])
    assert trips == []


def test_exceptions_every_ten_seconds_stop_entries_within_the_minute_incident_3() -> None:
    seconds = [
        ExceptionRaised(at=START + timedelta(seconds=10 * n), where="AttributeError") for n in range(7)
    ]
    breakers, trips = run(seconds, BreakerLimits())
    assert breakers.tripped == (BreakerKind.EXCEPTIONS,)
    assert trips[0].at <= START + timedelta(minutes=1)


def test_a_breaker_that_is_switched_off_does_not_trip() -> None:
    off = BreakerLimits(
        daily_loss_fraction_max=None,
        drawdown_fraction_max=None,
        losing_trades_max=None,
        losing_days_max=None,
        rejects_per_hour_max=None,
        exceptions_per_hour_max=None,
    )
    for kind, (quiet, breach) in CASES.items():
        if kind not in (BreakerKind.BOOKS_DIFFER, BreakerKind.RECORDS):
            assert run([*quiet, *breach], off)[1] == []


# --- What was kept -----------------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.one_of(
        st.integers(0, 9).map(day),
        st.integers(60_000, 120_000).map(equity),
        st.integers(-500, 500).map(trade),
        st.integers(0, 300).map(lambda minute: OrderRejected(at=at(minute), reason="no")),
        st.integers(0, 300).map(lambda minute: ExceptionRaised(at=at(minute), where="decide")),
        st.sampled_from([None, *BreakerKind]).map(reset),
    ),
    max_size=60,
)


@given(events=EVENTS, cut=st.integers(0, 60))
@settings(max_examples=150)
def test_a_killed_session_finds_its_breakers_as_they_were(events, cut) -> None:
    """What happened and what tripped, in the order it was recorded, folds to the state that was lost."""
    breakers, ledger = Breakers(), []
    for event in events[:cut]:
        breakers, trips = after(breakers, event, LIMITS)
        ledger += [event, *trips]
    assert fold(ledger) == breakers


@pytest.mark.parametrize(
    ("empty", "known_by", "tripped"),
    [
        (False, "the broker holds 10 AMC", False),
        (False, None, False),
        (True, None, False),  # a new account
        (True, "the broker holds 10 AMC", True),
    ],
)
def test_missing_records_of_a_known_account_are_tripped(empty, known_by, tripped) -> None:
    event = at_start(ledger_is_empty=empty, known_by=known_by, at=START)
    breakers, trips = run([] if event is None else [event])
    assert [trip.kind for trip in trips] == ([BreakerKind.RECORDS] if tripped else [])
    assert breakers.tripped == ((BreakerKind.RECORDS,) if tripped else ())
