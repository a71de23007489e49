"""The quality report finds every defect that our generator can make, and keeps quiet about sound bars."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import Adjustment, DateRange, SetId, SetRecord, Source
from magellan.archive.generated.defect import (
    BadPrint,
    Defect,
    GenuineJump,
    Halt,
    MissingRows,
    MissingSession,
    OtherInstrument,
    PhantomDay,
    RepeatedRows,
    Truncated,
    UnadjustedSplit,
    ZeroVolumeRows,
)
from magellan.archive.generated.generate import Generated, generate
from magellan.archive.generated.market import Market
from magellan.archive.generated.style import Style
from magellan.archive.quality.finding import Finding, Kind, QualityReport, Severity, Verdict
from magellan.archive.quality.report import quality_report
from magellan.trading.bar import PRICE_COLUMNS, Bars
from magellan.trading.corporate_action import CorporateAction, Split
from magellan.trading.session import ExchangeCalendar, Hours
from magellan.trading.timeframe import DAY, HOUR, MINUTE, Timeframe

FIRST, LAST = date(2025, 10, 20), date(2025, 11, 28)
ASKED = DateRange(first_on=FIRST, last_on=LAST)
TUESDAY, SATURDAY, THANKSGIVING = date(2025, 11, 11), date(2025, 11, 8), date(2025, 11, 27)
FETCHED_AT = datetime(2026, 1, 5, tzinfo=UTC)


@cache
def xnys() -> ExchangeCalendar:
    return load_calendar("XNYS", today=date(2026, 1, 15))


@cache
def made(
    *defects: Defect,
    timeframe: Timeframe = MINUTE,
    style: Style = Style.LARGE_CAP,
    hours: Hours = Hours.REGULAR,
) -> Generated:
    market = Market(
        symbol="URCHIN",
        style=style,
        first_on=FIRST,
        last_on=LAST,
        timeframe=timeframe,
        hours=hours,
        defects=defects,
    )
    return generate(market, xnys(), seed=5)


def record_of(bars: Bars, **others: object) -> SetRecord:
    fields: dict[str, object] = {
        "id": SetId(
            symbol=bars.symbol,
            timeframe=bars.timeframe,
            vendor="generated",
            feed="none",
            adjustment=Adjustment.RAW,
            hours=Hours.ALL,
        ),
        "calendar": "XNYS",
        "requested": (ASKED,),
        "first_at": bars.bar(0).opened_at,
        "last_at": bars.bar(len(bars) - 1).opened_at,
        "rows": len(bars),
        "sha256": content_sha256(bars),
        "sources": (
            Source(name="a", sha256="0" * 64, rows=len(bars), requested=ASKED, fetched_at=FETCHED_AT),
        ),
    }
    return SetRecord(**(fields | others))  # type: ignore[arg-type]


def report_on(bars: Bars, actions: tuple[CorporateAction, ...] = (), **others: object) -> QualityReport:
    return quality_report(bars, record_of(bars, **others), xnys(), actions)


def report(*defects: Defect, **kind: object) -> QualityReport:
    market = made(*defects, **kind)  # type: ignore[arg-type]
    return report_on(market.bars(), market.actions)


def found(quality: QualityReport, kind: Kind) -> Finding:
    finding = quality.of(kind)
    assert finding is not None, f"no {kind} among {[each.kind for each in quality.findings]}"
    return finding


def worth_a_warning(quality: QualityReport) -> set[Kind]:
    return {finding.kind for finding in quality.findings if finding.severity is not Severity.NOTE}


@pytest.mark.parametrize(
    ("timeframe", "hours"),
    [
        (MINUTE, Hours.REGULAR),
        (MINUTE, Hours.ALL),
        (HOUR, Hours.REGULAR),
        (HOUR, Hours.ALL),
        (DAY, Hours.REGULAR),
    ],
    ids=str,
)
@pytest.mark.parametrize("style", [Style.INDEX, Style.LARGE_CAP, Style.SMALL_CAP], ids=str)
def test_sound_bars_are_fit(style: Style, timeframe: Timeframe, hours: Hours) -> None:
    quality = report(style=style, timeframe=timeframe, hours=hours)
    assert worth_a_warning(quality) == set(), quality.findings
    assert quality.verdict is Verdict.FIT


def test_a_half_day_is_no_gap_and_is_named() -> None:
    assert found(report(), Kind.HALF_DAYS).examples == ("2025-11-28",)


@pytest.mark.parametrize(
    ("defect", "kind", "severity", "count", "place"),
    [
        (
            UnadjustedSplit(on=TUESDAY, new_shares=10, old_shares=1),
            Kind.EXPLAINED_JUMPS,
            Severity.NOTE,
            1,
            "2025-11-11",
        ),
        (
            UnadjustedSplit(on=TUESDAY, new_shares=10, old_shares=1, recorded=False),
            Kind.UNEXPLAINED_JUMPS,
            Severity.REFUSE,
            1,
            "2025-11-11",
        ),
        (
            UnadjustedSplit(on=TUESDAY, new_shares=1, old_shares=20, recorded=False),
            Kind.UNEXPLAINED_JUMPS,
            Severity.REFUSE,
            1,
            "it could be a split of 1 for 20",
        ),
        (
            GenuineJump(on=TUESDAY, factor=0.2),
            Kind.EXPLAINED_JUMPS,
            Severity.NOTE,
            1,
            "confirmed by the generator",
        ),
        (
            GenuineJump(on=TUESDAY, factor=0.2, confirmed=False),
            Kind.UNEXPLAINED_JUMPS,
            Severity.REFUSE,
            1,
            "2025-11-11",
        ),
        (
            GenuineJump(on=TUESDAY, factor=1.35, confirmed=False),
            Kind.LARGE_GAPS,
            Severity.NOTE,
            1,
            "2025-11-11",
        ),
        (MissingSession(on=TUESDAY), Kind.MISSING_SESSIONS, Severity.REFUSE, 1, "2025-11-11"),
        (
            Halt(on=TUESDAY, after_open_minutes=60, minutes=5),
            Kind.HALTS,
            Severity.WARN,
            1,
            "2025-11-11T15:30Z for 5 min",
        ),
        (Halt(on=TUESDAY, after_open_minutes=60, minutes=45), Kind.HALTS, Severity.WARN, 1, "for 45 min"),
        (Halt(on=TUESDAY, after_open_minutes=60, minutes=90), Kind.HOLES, Severity.WARN, 1, "for 90 min"),
        (
            Halt(on=TUESDAY, after_open_minutes=0, minutes=30),
            Kind.CUT_SESSIONS,
            Severity.WARN,
            1,
            "14:30Z for 30 min",
        ),
        (
            Halt(on=TUESDAY, after_open_minutes=330, minutes=60),
            Kind.CUT_SESSIONS,
            Severity.WARN,
            1,
            "20:00Z for 60 min",
        ),
        (BadPrint(on=TUESDAY, factor=1.4), Kind.BAD_PRINTS, Severity.WARN, 1, "2025-11-11T15:30Z"),
        (BadPrint(on=TUESDAY, factor=0.7, rows=2), Kind.BAD_PRINTS, Severity.WARN, 2, "2025-11-11T15:30Z"),
        (PhantomDay(on=SATURDAY), Kind.PHANTOM_DAYS, Severity.WARN, None, "2025-11-08 Sat"),
        (PhantomDay(on=THANKSGIVING), Kind.PHANTOM_DAYS, Severity.WARN, None, "2025-11-27 Thu"),
        (RepeatedRows(rows=200), Kind.REPEATED_ROWS, Severity.WARN, None, "2025-"),
        (ZeroVolumeRows(rows=30), Kind.ZERO_VOLUME, Severity.WARN, 30, "2025-"),
        (
            Truncated(first_on=date(2025, 11, 10), last_on=LAST),
            Kind.SHORT_RANGE,
            Severity.REFUSE,
            15,
            "2025-10-20..2025-11-07 (15)",
        ),
        (
            Truncated(first_on=FIRST, last_on=date(2025, 11, 26)),
            Kind.SHORT_RANGE,
            Severity.WARN,
            1,
            "2025-11-28",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, Kind) else "",
)
def test_a_defect_among_minutes_is_found_where_it_is(
    defect: Defect, kind: Kind, severity: Severity, count: int | None, place: str
) -> None:
    finding = found(report(defect), kind)
    assert finding.severity is severity
    assert count in (None, finding.count)
    assert place in " ".join(finding.examples)
    assert severity is Severity.NOTE or finding.advice


def test_incident_12_rows_of_another_instrument_make_a_set_unfit() -> None:
    quality = report(OtherInstrument(share=0.018, price_usd=2.5))
    finding = found(quality, Kind.POLLUTION)
    assert quality.verdict is Verdict.UNFIT
    strange = int(np.count_nonzero(made(OtherInstrument(share=0.018, price_usd=2.5)).bars().close < 10))
    assert strange * 0.9 <= finding.count <= strange
    assert "near 2." in finding.measured


def test_incident_12_a_split_or_a_crash_is_no_pollution() -> None:
    for defect in (
        UnadjustedSplit(on=TUESDAY, new_shares=10, old_shares=1, recorded=False),
        GenuineJump(on=TUESDAY, factor=0.2),
        BadPrint(on=TUESDAY, factor=3.0, rows=2),
    ):
        assert report(defect).of(Kind.POLLUTION) is None


@pytest.mark.parametrize(
    ("defect", "kind", "place"),
    [
        (
            UnadjustedSplit(on=TUESDAY, new_shares=4, old_shares=1, recorded=False),
            Kind.UNEXPLAINED_JUMPS,
            "2025-11-11",
        ),
        (MissingSession(on=TUESDAY), Kind.MISSING_SESSIONS, "2025-11-11"),
        (PhantomDay(on=SATURDAY), Kind.PHANTOM_DAYS, "2025-11-08 Sat"),
        (RepeatedRows(rows=2), Kind.REPEATED_ROWS, "2025-"),
        (ZeroVolumeRows(rows=1), Kind.ZERO_VOLUME, "2025-"),
        (BadPrint(on=TUESDAY, factor=1.45), Kind.BAD_PRINTS, "2025-11-11"),
        (
            Truncated(first_on=FIRST, last_on=date(2025, 11, 14)),
            Kind.SHORT_RANGE,
            "2025-11-17..2025-11-28 (9)",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, Kind) else "",
)
@pytest.mark.parametrize("timeframe", [HOUR, DAY], ids=str)
def test_a_defect_among_hours_or_days_is_found_where_it_is(
    defect: Defect, kind: Kind, place: str, timeframe: Timeframe
) -> None:
    assert place in " ".join(found(report(defect, timeframe=timeframe), kind).examples)


def test_quiet_minutes_of_a_thin_symbol_are_told_apart_from_lost_ones() -> None:
    thin = report(style=Style.THIN)
    assert {Kind.HALTS, Kind.HOLES, Kind.CUT_SESSIONS, Kind.MISSING_SESSIONS} & {
        finding.kind for finding in thin.findings
    } == set()
    very_thin = report(MissingRows(share=0.9), style=Style.THIN)
    assert found(very_thin, Kind.THIN_SYMBOL).severity is Severity.REFUSE
    assert very_thin.of(Kind.HALTS) is None


def test_a_few_lost_minutes_of_a_busy_symbol_are_counted_and_are_no_halt() -> None:
    quality = report(MissingRows(share=0.03))
    assert found(quality, Kind.QUIET_MINUTES).count > 200
    assert quality.of(Kind.HALTS) is None


def test_halts_that_follow_each_other_are_all_found() -> None:
    halts = tuple(Halt(on=TUESDAY, after_open_minutes=5 + 9 * number, minutes=4) for number in range(20))
    assert found(report(*halts), Kind.HALTS).count == 20


def test_extended_hours_are_measured_and_refused_where_none_were_declared() -> None:
    bars = made(hours=Hours.ALL).bars()
    finding = found(report_on(bars), Kind.EXTENDED_HOURS)
    outside = ~xnys().regular(bars)
    assert (finding.count, finding.severity) == (int(outside.sum()), Severity.NOTE)
    declared = replace(record_of(bars).id, hours=Hours.REGULAR)
    assert found(report_on(bars, id=declared), Kind.EXTENDED_HOURS).severity is Severity.REFUSE


def test_hours_that_begin_before_the_session_are_pointed_out() -> None:
    bars = made(timeframe=HOUR, hours=Hours.ALL).bars()
    assert found(report_on(bars), Kind.MIXED_OPENING_BAR).count == 29


def test_a_split_that_the_vendor_took_out_is_not_expected_and_one_it_left_in_is_noticed() -> None:
    market = made(UnadjustedSplit(on=TUESDAY, new_shares=10, old_shares=1))
    bars, actions = market.bars(), market.actions
    assert all(isinstance(action, Split) for action in actions)
    split_adjusted = replace(record_of(bars).id, adjustment=Adjustment.SPLIT)
    left_in = report_on(bars, actions, id=split_adjusted)
    assert "already taken out" in found(left_in, Kind.UNEXPLAINED_JUMPS).explanation
    taken_out = made().bars()
    assert report_on(taken_out, actions, id=split_adjusted).verdict is Verdict.FIT
    not_there = found(report_on(taken_out, actions), Kind.UNEXPLAINED_JUMPS)
    assert "the corporate actions say x0.1" in not_there.examples[0]


def test_a_move_over_weeks_without_bars_is_not_called_a_jump() -> None:
    bars = made(
        Truncated(first_on=FIRST, last_on=date(2025, 10, 31)), GenuineJump(on=date(2025, 10, 30), factor=0.2)
    ).bars()
    later = made(Truncated(first_on=date(2025, 11, 17), last_on=LAST)).bars()
    both = Bars(
        symbol="URCHIN",
        timeframe=MINUTE,
        **{
            name: np.concatenate([getattr(bars, name), getattr(later, name)])
            for name in ("opened_at_ns", *PRICE_COLUMNS, "volume")
        },
    )
    quality = report_on(both)
    assert found(quality, Kind.UNSEEN_MOVES).severity is Severity.WARN
    assert found(quality, Kind.UNEXPLAINED_JUMPS).count == 1, "the one of 2025-10-30"


def test_incident_21_a_source_that_came_back_short_is_told_though_others_lie_around_it() -> None:
    bars = made(Truncated(first_on=date(2025, 11, 24), last_on=LAST)).bars()
    before = made(Truncated(first_on=FIRST, last_on=date(2025, 10, 31))).bars()
    both = Bars(
        symbol="URCHIN",
        timeframe=MINUTE,
        **{
            name: np.concatenate([getattr(before, name), getattr(bars, name)])
            for name in ("opened_at_ns", *PRICE_COLUMNS, "volume")
        },
    )
    november = DateRange(first_on=date(2025, 11, 1), last_on=LAST)
    sources = tuple(
        Source(name=name, sha256="0" * 64, rows=1, requested=dates, fetched_at=FETCHED_AT)
        for name, dates in (
            ("october", DateRange(first_on=FIRST, last_on=date(2025, 10, 31))),
            ("november", november),
        )
    )
    quality = report_on(both, sources=sources)
    assert found(quality, Kind.SHORT_RANGE).examples == ("2025-11-03..2025-11-21 (15)",)
    assert quality.of(Kind.MISSING_SESSIONS) is None


def test_bars_that_nobody_asked_for_are_noted() -> None:
    bars = made().bars()
    asked = (DateRange(first_on=FIRST, last_on=date(2025, 11, 26)),)
    assert found(report_on(bars, requested=asked), Kind.NOT_REQUESTED).examples[0] == "2025-11-28T14:30Z"


def test_bars_that_end_after_they_were_fetched_are_refused() -> None:
    bars = made().bars()
    fetched_at = bars.bar(len(bars) - 1).opened_at
    sources = (Source(name="a", sha256="0" * 64, rows=1, requested=ASKED, fetched_at=fetched_at),)
    assert found(report_on(bars, sources=sources), Kind.FUTURE_BARS).count == 1


def test_sessions_that_were_not_over_when_they_were_fetched_are_not_missing() -> None:
    bars = made(Truncated(first_on=FIRST, last_on=TUESDAY)).bars()
    fetched_at = bars.bar(len(bars) - 1).opened_at + timedelta(minutes=5)
    sources = (Source(name="a", sha256="0" * 64, rows=1, requested=ASKED, fetched_at=fetched_at),)
    assert report_on(bars, sources=sources).verdict is Verdict.FIT


def test_rows_that_the_import_dropped_are_remembered() -> None:
    bars = made().bars()
    sources = (
        Source(
            name="a.csv", sha256="0" * 64, rows=1, requested=ASKED, fetched_at=FETCHED_AT, repeated_rows=7
        ),
    )
    assert found(report_on(bars, sources=sources), Kind.DUPLICATES).examples == ("a.csv: 7",)


def test_prices_at_or_below_zero_are_a_warning_where_they_are_allowed() -> None:
    bars = made(timeframe=DAY).bars()
    columns = {name: getattr(bars, name).copy() for name in (*PRICE_COLUMNS, "volume")}
    columns["low"][10] = -40.32
    below = Bars(symbol="URCHIN", timeframe=DAY, opened_at_ns=bars.opened_at_ns, **columns)
    finding = found(report_on(below), Kind.NOT_ABOVE_ZERO)
    assert (finding.count, finding.measured) == (1, "lowest -40.32")


def test_a_set_of_a_few_sessions_is_too_short_to_judge() -> None:
    bars = made(Truncated(first_on=date(2025, 11, 25), last_on=LAST)).bars()
    asked = (DateRange(first_on=date(2025, 11, 25), last_on=LAST),)
    quality = report_on(bars.rows(slice(0, 1)), requested=asked)
    assert found(quality, Kind.FEW_SESSIONS).severity is Severity.WARN
    assert found(quality, Kind.THIN_SYMBOL).severity is Severity.REFUSE


def test_content_that_is_not_what_was_merged_is_refused() -> None:
    finding = found(report_on(made().bars(), sha256="0" * 64), Kind.CONTENT_CHANGED)
    assert finding.severity is Severity.REFUSE


def test_bars_outside_the_calendar_are_said_to_be_unjudged() -> None:
    bars = made(timeframe=DAY).bars()
    before = Bars(
        symbol="URCHIN",
        timeframe=DAY,
        opened_at_ns=bars.opened_at_ns - 80 * 365 * 24 * 3600 * 10**9,
        **{name: getattr(bars, name) for name in (*PRICE_COLUMNS, "volume")},
    )
    asked = (DateRange(first_on=date(1945, 1, 1), last_on=date(1946, 1, 1)),)
    assert found(report_on(before, requested=asked), Kind.OUTSIDE_CALENDAR).count == len(before)


def test_findings_come_worst_first() -> None:
    quality = report(
        PhantomDay(on=SATURDAY),
        UnadjustedSplit(on=TUESDAY, new_shares=10, old_shares=1, recorded=False),
    )
    order = [tuple(Severity).index(finding.severity) for finding in quality.findings]
    assert order == sorted(order)
    assert quality.verdict is Verdict.UNFIT


def test_the_guide_explains_every_kind_of_finding() -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/data.md").read_text()
    assert [kind for kind in Kind if f"`{kind}`" not in guide] == []
