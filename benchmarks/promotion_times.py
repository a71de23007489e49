"""Promotions: how often spoiled evidence would promote, and how long a soak takes to replay and to judge.

    .venv/bin/python benchmarks/promotion_times.py [SETS]

SETS (20,000) sets of evidence are each spoiled in one to four of the ways that tests/deploy/promotion/cases.py lists.
The last known numbers are in docs/guides/promotion.md.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from deploy.promotion.cases import EVIDENCE, Case, mutations
from deploy.promotion.rate import rate_at_most
from ledger.samples import BEGAN, DECISION
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.adapters.simulated.faults import NO_FAULTS
from magellan.deploy.promotion.soak import soak_of
from magellan.ledger.chain import Sound
from magellan.ledger.entries import NewEntry
from simulation.campaign import simulate
from simulation.world import NO_WIRE_FAULTS

PARTS = ("release", "gates", "accepted", "backtest", "soak")
SYMBOLS, SESSIONS = 20, 8
ACCOUNT = "alpaca-paper-PA1"


def main() -> None:
    """Print one line per measure."""
    spoiled_evidence(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
    replayed_soak()
    folded_ledger()


def spoiled_evidence(sets: int) -> None:
    """Sets that are spoiled in several ways at once, each part of each by one of the ways drawn for it."""
    known = [case for _, case in mutations()]
    chance = random.Random(7)
    began_s = perf_counter()
    promoted = 0
    for _ in range(sets):
        case = chance.choice(known)
        for other in chance.sample(known, chance.randrange(4)):
            part = chance.choice(PARTS)
            told = getattr(other.evidence, part)
            if told is not getattr(EVIDENCE, part):
                case = replace(case, evidence=replace(case.evidence, **{part: told}))
        promoted += case.verdict().passes
    took_s = perf_counter() - began_s
    assert Case().verdict().passes, "the evidence passes as long as nobody spoils it"
    print(
        f"{sets:,} spoiled sets: {promoted} promoted, a rate of at most {rate_at_most(promoted, sets):.5%} with 95 % "
        f"confidence; {took_s / sets * 1000:.2f} ms each"
    )


def replayed_soak() -> None:
    """Eight sessions of the very engine that trades, on a simulated broker, at bars of a quarter of an hour."""
    for seed in (3, 2):
        began_s = perf_counter()
        days = simulate(seed, days=SESSIONS, faults=(NO_WIRE_FAULTS, NO_FAULTS), minutes=15)
        print(
            f"48 h replayed by the engine, {len(days.world.ledger):,} entries: {perf_counter() - began_s:.2f} s"
        )


def folded_ledger() -> None:
    """What `magellan soak` does with eight sessions of twenty symbols by the minute: check the chain, read, fold."""
    calendar = load_calendar("XNYS", today=date(2026, 1, 21))
    ledger = MemoryLedger(lambda: datetime.now(UTC))
    on = date(2026, 1, 20)
    days = calendar.sessions(on - timedelta(days=30), on)[-SESSIONS:]
    with ledger.writer(ACCOUNT) as writer:
        for day in days:
            hours = calendar.hours(day)
            assert hours is not None
            name = f"{day:%Y%m%d}"
            began = replace(BEGAN, release_id="a" * 64, timeframe="1Min")
            writer.append([NewEntry(at=hours[0], session=name, payload=began)])
            writer.append(
                [
                    NewEntry(at=hours[0] + timedelta(minutes=minute + 1), session=name, payload=DECISION)
                    for minute in range(390)
                    for _ in range(SYMBOLS)
                ]
            )
    wall_s, own_s = perf_counter(), process_time()
    assert isinstance(ledger.verify(ACCOUNT), Sound)
    found = soak_of(
        ACCOUNT,
        ledger.entries(ACCOUNT),
        strategy="bear_trap",
        release_id="a" * 64,
        calendar=calendar,
        head=str(ledger.head(ACCOUNT)),
        chain_problem="",
        is_held=True,
        seen_at=datetime(2026, 1, 20, 21, 1, tzinfo=UTC),
    )
    watched = sum(hours for each in found.sessions for hours in each.watched.values())
    print(
        f"{ledger.head(ACCOUNT).number:,} entries checked, read and folded to {watched:.1f} h watched: "
        f"{perf_counter() - wall_s:.2f} s, of its own {process_time() - own_s:.2f} s"
    )


if __name__ == "__main__":
    main()
