"""A soak, folded from what sessions really write: a session on a simulated broker, and ledgers made by hand."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from deploy.promotion.cases import SUBJECT
from ledger.samples import BEGAN, OPEN_AT, closed_trade, entry
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.adapters.simulated.faults import NO_FAULTS
from magellan.deploy.promotion.criteria import PROMOTION
from magellan.deploy.promotion.evidence import About, CountBand, Evidence, Soak
from magellan.deploy.promotion.judgement import Answer, judge_evidence
from magellan.deploy.promotion.soak import silence_max, soak_of, watched
from magellan.ledger.entries import (
    AlertRaised,
    BreakerTripped,
    Difference,
    FailureSeen,
    NewEntry,
    Payload,
    Reconciliation,
    SessionBegan,
    SessionEnded,
    TradeClosed,
    TradeOpened,
)
from magellan.trading.bar import nanoseconds
from magellan.trading.session import ExchangeCalendar
from magellan.trading.timeframe import Timeframe
from magellan.workspace.promotion_criteria import PromotionCriteria
from simulation.campaign import calendar as simulated_calendar
from simulation.campaign import simulate
from simulation.world import NO_WIRE_FAULTS

NEW_YORK = load_calendar("XNYS", today=date(2026, 1, 21))
MINE, OTHER = "a" * 64, "b" * 64
ACCOUNT = "alpaca-paper-PA1"


def began(release_id: str = MINE, **changed: Any) -> SessionBegan:
    return replace(BEGAN, release_id=release_id, timeframe="1Min", **changed)


def soak(
    *entries: NewEntry, calendar: ExchangeCalendar = NEW_YORK, is_held: bool = False, release_id: str = MINE
) -> Soak:
    ledger = MemoryLedger(lambda: OPEN_AT)
    with ledger.writer(ACCOUNT) as writer:
        writer.append(entries)
    return soak_of(
        ACCOUNT,
        ledger.entries(ACCOUNT),
        strategy="bear_trap",
        release_id=release_id,
        calendar=calendar,
        head=str(ledger.head(ACCOUNT)),
        chain_problem="",
        is_held=is_held,
        seen_at=max(each.at for each in entries),
    )


def every_minute(first: int, last: int, session: str = "s-1") -> list[NewEntry]:
    told = AlertRaised(severity="info", text="a minute passed")
    return [entry(told, minutes=minute, session=session) for minute in range(first, last)]


def test_hours_are_those_in_which_the_market_was_open_and_the_session_wrote() -> None:
    """It began an hour before the opening, hung from 12:30 to 15:30, and went on into the evening."""
    found = soak(entry(began(), minutes=-60), *every_minute(-59, 180), *every_minute(360, 500))
    assert found.sessions[0].watched == {date(2026, 1, 20): pytest.approx(179 / 60 + 0.5)}
    assert found.lengths == {date(2026, 1, 20): 6.5}


def test_a_session_over_a_weekend_and_a_half_day_watched_only_when_the_market_was_open() -> None:
    thanksgiving = datetime(2025, 11, 26, 14, 30, tzinfo=UTC)
    minutes = [nanoseconds(thanksgiving + timedelta(minutes=each)) for each in range(5 * 24 * 60)]
    assert watched(minutes, NEW_YORK) == {
        date(2025, 11, 26): 6.5,
        date(2025, 11, 28): 3.5,
    }


def test_a_daily_strategy_watches_from_the_opening_to_its_decision_at_the_close() -> None:
    silence = silence_max(Timeframe.parse("1Day"), NEW_YORK)
    opens, closes = NEW_YORK.opens_at_ns[-250:], NEW_YORK.closes_at_ns[-250:]
    entries = np.sort(np.concatenate([opens, closes])).tolist()
    whole = watched(entries, NEW_YORK, silence=silence)
    assert len(whole) == 250
    hung = watched([*entries[:20], *entries[24:]], NEW_YORK, silence=silence)
    assert len(hung) == 248


def test_what_other_releases_did_on_the_account_does_not_count() -> None:
    found = soak(
        entry(began(OTHER), minutes=0, session="s-0"),
        entry(
            TradeOpened(record=replace(closed_trade("x-0", None), release_id=OTHER)), minutes=1, session="s-0"
        ),
        entry(BreakerTripped(breaker="daily_loss", reason="lost"), minutes=2, session="s-0"),
        entry(SessionEnded(reason="replaced", flat=True), minutes=3, session="s-0"),
        entry(began(), minutes=4),
        entry(TradeClosed(record=replace(closed_trade("x-0", "5"), release_id=OTHER)), minutes=5),
        entry(TradeOpened(record=replace(closed_trade("x-1", None), release_id=MINE)), minutes=6),
        entry(TradeClosed(record=replace(closed_trade("x-1", "5"), release_id=MINE)), minutes=7),
    )
    assert (found.others, len(found.sessions), found.entries, len(found.trades)) == (1, 1, 1, 1)
    assert found.mishaps == ()


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (BreakerTripped(breaker="daily_loss", reason="lost 3.1 %"), "breaker"),
        (FailureSeen(where="bear_trap.decide", error="AttributeError"), "failure"),
        (AlertRaised(severity="critical", text="a position has no stop"), "critical"),
        (
            Reconciliation(
                occasion="periodic",
                differences=(Difference(what="position", name="AMC", ours="100", brokers="90"),),
                policy="refuse",
                result="refused",
            ),
            "disagreement",
        ),
    ],
)
def test_each_kind_of_mishap_is_seen(payload: Payload, kind: str) -> None:
    assert [each.kind for each in soak(entry(began()), entry(payload, minutes=1)).mishaps] == [kind]


def test_a_warning_and_a_reconciliation_that_agreed_are_no_mishaps() -> None:
    agreed = Reconciliation(occasion="start", differences=(), policy="refuse", result="agreed")
    warning = AlertRaised(severity="warning", text="AMC: no bar for 3 minutes")
    found = soak(entry(began()), entry(agreed, minutes=1), entry(warning, minutes=2))
    assert (found.mishaps, found.reconciliations) == ((), 1)


def test_a_session_without_its_end_was_killed_unless_it_runs_now() -> None:
    killed = (entry(began()), *every_minute(1, 5))
    assert [each.ended for each in soak(*killed).sessions] == [False]
    assert [each.ended for each in soak(*killed, is_held=True).sessions] == [True]
    again = (*killed, entry(began(), minutes=10, session="s-2"))
    assert [each.ended for each in soak(*again, is_held=True).sessions] == [False, True]


def test_a_clock_that_ran_backwards_is_told() -> None:
    assert soak(entry(began()), *every_minute(1, 9)).time_problem == ""
    back = soak(entry(began()), *every_minute(5, 9), *every_minute(1, 3))
    assert back.time_problem.startswith("entry 6 is stamped 2026-01-20T14:31:00+00:00")


def of_release(entries: list[NewEntry], release_id: str) -> list[NewEntry]:
    """What a simulated session wrote, as a session of that release would have."""
    found = []
    for each in entries:
        told = each.payload
        if isinstance(told, SessionBegan):
            told = replace(told, release_id=release_id, mode="paper", config_hash=SUBJECT.config_sha256)
        elif isinstance(told, TradeOpened | TradeClosed):
            told = replace(told, record=replace(told.record, release_id=release_id))
        found.append(replace(each, payload=told))
    return found


def test_a_soak_of_forty_eight_hours_is_replayed_and_judged_within_ten_seconds() -> None:
    """Eight sessions of the very engine that trades, on a simulated broker; then the ledger is folded and judged."""
    began_s = time.process_time()  # its own, whatever else the machine does
    days = simulate(3, days=8, faults=(NO_WIRE_FAULTS, NO_FAULTS), minutes=15)
    ledger = MemoryLedger(lambda: OPEN_AT)
    with ledger.writer(ACCOUNT) as writer:
        writer.append(of_release(days.world.ledger, SUBJECT.release_id))
    entries = tuple(ledger.entries(ACCOUNT))
    found = soak_of(
        ACCOUNT,
        entries,
        strategy="restless",
        release_id=SUBJECT.release_id,
        calendar=simulated_calendar(8),
        head=str(ledger.head(ACCOUNT)),
        chain_problem="",
        is_held=True,
        seen_at=entries[-1].at,
    )
    subject = replace(SUBJECT, strategy="restless")
    verdict = judge_evidence(
        subject, evidence_with(found), PromotionCriteria(soak_hours_min=48), at=found.seen_at
    )
    took_s = time.process_time() - began_s
    assert sum(found.sessions[0].watched.values()) >= 48
    assert len(found.trades) >= 10 and found.entries >= len(found.trades)
    answers = {each.criterion.name: each.answer for each in verdict.judgements}
    assert Answer.ERROR not in answers.values()
    gone_well = {each.name for each in PROMOTION if each.about is About.SOAK} - {
        "win_rate_band",
        "slippage_bps_max",
    }
    assert {name: answers[name] for name in gone_well if answers[name] is not Answer.PASS} == {}
    assert took_s < 10


def evidence_with(found: Soak) -> Evidence:
    """A good release's evidence beside this soak; its backtest entered as many trades."""
    from deploy.promotion.cases import EVIDENCE

    n, watched_sessions = (
        found.entries,
        sum(hours / found.lengths[on] for each in found.sessions for on, hours in each.watched.items()),
    )
    band = CountBand(sessions=watched_sessions, low=n // 2, high=2 * n, level=0.95, resamples=2000)
    backtest = replace(EVIDENCE.backtest, entries=band)  # type: ignore[type-var]
    gates = replace(EVIDENCE.gates, judged_at=found.seen_at - timedelta(days=9))  # type: ignore[type-var]
    accepted = replace(EVIDENCE.accepted, accepted_at=found.seen_at - timedelta(days=9))  # type: ignore[type-var]
    return replace(
        EVIDENCE, gathered_at=found.seen_at, soak=found, backtest=backtest, gates=gates, accepted=accepted
    )
