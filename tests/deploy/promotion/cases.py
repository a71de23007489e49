"""A release whose soak passes every criterion, just so; and what can be spoiled of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import inf, nan
from typing import Any

from magellan.deploy.promotion.evidence import (
    About,
    AcceptedSaid,
    Backtested,
    CountBand,
    Evidence,
    GatesSaid,
    Mishap,
    ReleaseSaid,
    Soak,
    SoakSession,
    SoakTrade,
    Subject,
    Ungathered,
)
from magellan.deploy.promotion.judgement import PromotionVerdict, judge_evidence
from magellan.workspace.promotion_criteria import PromotionCriteria
from magellan.workspace.workspace import Stage

RELEASE, OTHER = "a" * 64, "b" * 64
CODE, CONFIG = "c" * 64, "d" * 64
DATES = tuple(date(2026, 1, day) for day in (5, 6, 7, 8, 9, 12, 13, 14))
AT = datetime(2026, 1, 14, 21, 5, tzinfo=UTC)  # five minutes after the last close
DAY = timedelta(days=1)

SUBJECT = Subject(
    strategy="bear_trap",
    release_id=RELEASE,
    release_name="bear_trap-7-aaaaaaaaaaaa",
    version="1.0.0",
    kind="intraday",
    code_sha256=CODE,
    config_sha256=CONFIG,
    from_stage=Stage.TEST,
    to_stage=Stage.PROD,
    soak_account="alpaca-paper-PA1",
    to_account="alpaca-live-123456",
    is_rehearsal=False,
)


def session(on: date) -> SoakSession:
    """A session that watched one whole day."""
    began = datetime(on.year, on.month, on.day, 14, 25, tzinfo=UTC)
    return SoakSession(
        session=f"{on:%Y%m%d}T142500-0f0f0f",
        release_id=RELEASE,
        strategy="bear_trap",
        stage="test",
        mode="paper",
        config_sha256=CONFIG,
        began_at=began,
        last_at=began + timedelta(hours=6, minutes=36),
        ended=True,
        watched={on: 6.5},
    )


def trade(number: int, net: str) -> SoakTrade:
    on = DATES[number % len(DATES)]
    opened = datetime(on.year, on.month, on.day, 15, number, tzinfo=UTC)
    return SoakTrade(
        trade_id=f"x-{number}",
        release_id=RELEASE,
        opened_at=opened,
        closed_at=opened + timedelta(minutes=20),
        net_usd=Decimal(net),
        slippage_usd=Decimal("0.50"),
        value_usd=Decimal(1000),
    )


SOAK = Soak(
    account="alpaca-paper-PA1",
    head=f"9000:{'e' * 64}",
    chain_problem="",
    time_problem="",
    sessions=tuple(map(session, DATES)),
    trades=tuple(trade(number, "12.50" if number % 2 else "-8.00") for number in range(10)),
    entries=10,
    reconciliations=400,
    mishaps=(),
    others=0,
    lengths=dict.fromkeys(DATES, 6.5),
    seen_at=AT,
)
EVIDENCE = Evidence(
    gathered_at=AT,
    release=ReleaseSaid(release_id=RELEASE, problem="", signer="jane", author="ada"),
    gates=GatesSaid(release_id=RELEASE, answer="open", judged_at=AT - 10 * DAY, not_open=()),
    accepted=AcceptedSaid(
        run_id="3f2a", code_sha256=CODE, config_sha256=CONFIG, by="jane", accepted_at=AT - 10 * DAY
    ),
    backtest=Backtested(
        run_id="3f2a",
        code_sha256=CODE,
        config_sha256=CONFIG,
        generated=False,
        sessions=250,
        trades=320,
        wins=160,
        break_even=0.39,
        entries_per_session=1.28,
        entries=CountBand(sessions=8.0, low=4, high=17, level=0.95, resamples=2000),
    ),
    soak=SOAK,
)


@dataclass
class Case:
    """A promotion that passes until a test changes it."""

    evidence: Evidence = EVIDENCE
    subject: Subject = SUBJECT
    criteria: PromotionCriteria = field(default_factory=PromotionCriteria)
    at: datetime = AT

    def verdict(self) -> PromotionVerdict:
        return judge_evidence(self.subject, self.evidence, self.criteria, at=self.at)

    def answers(self) -> dict[str, str]:
        """The criteria that do not pass, with their answers."""
        return {each.criterion.name: str(each.answer) for each in self.verdict().not_passed}

    def but(self, part: str, **changed: Any) -> Case:
        """The case with another release, gates, accepted, backtest or soak."""
        told = replace(getattr(self.evidence, part), **changed)
        return replace(self, evidence=replace(self.evidence, **{part: told}))

    def without(self, about: About, part: str) -> Case:
        none = Ungathered(about, "nobody could read it")
        return replace(self, evidence=replace(self.evidence, **{part: none}))


def each_with(items: tuple[Any, ...], at: int, **changed: Any) -> tuple[Any, ...]:
    return (*items[:at], replace(items[at], **changed), *items[at + 1 :])


def mutations() -> Iterator[tuple[str, Case]]:
    """Everything that can be wrong with the evidence of a release that would pass, one at a time, with its name."""
    good = Case()
    yield from _empty(good)
    yield from _no_numbers(good)
    yield from _late_or_skewed(good)
    yield from _too_few(good)
    yield from _of_another(good)
    yield from _replayed(good)
    yield from _truncated(good)
    yield from _gone_wrong(good)


def _empty(good: Case) -> Iterator[tuple[str, Case]]:
    parts = (
        (About.RELEASE, "release"),
        (About.GATES, "gates"),
        (About.ACCEPTED, "accepted"),
        (About.BACKTEST, "backtest"),
        (About.SOAK, "soak"),
    )
    for about, part in parts:
        yield f"empty: no {part}", good.without(about, part)
    yield "empty: no sessions", good.but("soak", sessions=(), lengths={})
    yield "empty: no trades", good.but("soak", trades=())
    yield "empty: no trade entered", good.but("soak", trades=(), entries=0)
    yield "empty: no reconciliation", good.but("soak", reconciliations=0)
    yield (
        "empty: nothing watched",
        good.but("soak", sessions=tuple(replace(each, watched={}) for each in SOAK.sessions)),
    )
    yield "empty: no lengths", good.but("soak", lengths={})
    yield "empty: no band", good.but("backtest", entries=None)
    yield "empty: no break-even", good.but("backtest", break_even=None, entries=None)
    yield "empty: backtest without trades", good.but("backtest", trades=0, wins=0)
    yield "empty: nobody signed", good.but("release", signer=None)


def _no_numbers(good: Case) -> Iterator[tuple[str, Case]]:
    for bad in (nan, inf, -inf, -1.0):
        yield f"NaN: entries {bad}", good.but("soak", entries=bad)
        yield f"NaN: reconciliations {bad}", good.but("soak", reconciliations=bad)
        yield f"NaN: entries per session {bad}", good.but("backtest", entries_per_session=bad)
        yield f"NaN: break-even {bad}", good.but("backtest", break_even=bad)
        for name in ("trades", "wins", "sessions"):
            yield f"NaN: backtest's {name} {bad}", good.but("backtest", **{name: bad})
        for name in ("low", "high", "sessions"):
            band = replace(EVIDENCE.backtest.entries, **{name: bad})  # type: ignore[union-attr, type-var]
            yield f"NaN: band's {name} {bad}", good.but("backtest", entries=band)
        for at, each in enumerate(SOAK.sessions):
            sessions = each_with(SOAK.sessions, at, watched=dict.fromkeys(each.watched, bad))
            yield f"NaN: watched {bad} in session {at}", good.but("soak", sessions=sessions)
        yield f"NaN: a day of {bad} hours", good.but("soak", lengths={**SOAK.lengths, DATES[3]: bad})
    for text, at_most in (("NaN", 10), ("sNaN", 1), ("Infinity", 1), ("-Infinity", 1)):
        for at in range(at_most):
            for name in ("net_usd", "slippage_usd", "value_usd"):
                trades = each_with(SOAK.trades, at, **{name: Decimal(text)})
                yield f"NaN: {name} {text} of trade {at}", good.but("soak", trades=trades)
    yield (
        "NaN: a trade worth nothing",
        good.but("soak", trades=each_with(SOAK.trades, 0, value_usd=Decimal(0))),
    )
    yield (
        "NaN: slippage that nobody knows",
        good.but("soak", trades=each_with(SOAK.trades, 0, slippage_usd=None)),
    )
    yield "NaN: more wins than trades", good.but("backtest", wins=321)


def _late_or_skewed(good: Case) -> Iterator[tuple[str, Case]]:
    for hours in (1.1, 24, 24 * 365):
        yield f"late: gathered {hours} h ago", replace(good, at=AT + timedelta(hours=hours))
    yield "late: gates judged 31 days ago", good.but("gates", judged_at=AT - 31 * DAY)
    for days in (5, 40):
        seen = AT + days * DAY
        evidence = replace(good.but("soak", seen_at=seen).evidence, gathered_at=seen)
        yield f"late: it last ran {days} days ago", replace(good, evidence=evidence, at=seen)
    for minutes in (2, 60, 60 * 24):
        ahead = AT + timedelta(minutes=minutes)
        yield (
            f"skewed: gathered {minutes} min ahead",
            replace(good, evidence=replace(EVIDENCE, gathered_at=ahead)),
        )
        yield f"skewed: seen {minutes} min ahead", good.but("soak", seen_at=ahead)
        yield f"skewed: seen {minutes} min behind", good.but("soak", seen_at=AT - timedelta(minutes=minutes))
        yield f"skewed: judged {minutes} min ahead", good.but("gates", judged_at=ahead)
        yield f"skewed: accepted {minutes} min ahead", good.but("accepted", accepted_at=ahead)
        yield (
            f"skewed: a session {minutes} min ahead",
            good.but("soak", sessions=each_with(SOAK.sessions, 7, last_at=ahead)),
        )
        yield (
            f"skewed: a trade {minutes} min ahead",
            good.but("soak", trades=each_with(SOAK.trades, 7, closed_at=ahead)),
        )
    yield "skewed: backwards", good.but("soak", time_problem="entry 412 is stamped before the one before it")
    for at in range(len(SOAK.sessions)):
        began = SOAK.sessions[at].began_at
        yield (
            f"skewed: session {at} ends before it begins",
            good.but("soak", sessions=each_with(SOAK.sessions, at, last_at=began - timedelta(hours=1))),
        )
        yield (
            f"skewed: session {at} watched longer than it ran",
            good.but("soak", sessions=each_with(SOAK.sessions, at, last_at=began + timedelta(hours=1))),
        )
    for at in range(len(SOAK.trades)):
        opened = SOAK.trades[at].opened_at
        yield (
            f"skewed: trade {at} before the soak",
            good.but("soak", trades=each_with(SOAK.trades, at, opened_at=opened - 30 * DAY)),
        )
        yield (
            f"skewed: trade {at} closed before it was opened",
            good.but("soak", trades=each_with(SOAK.trades, at, closed_at=opened - timedelta(minutes=1))),
        )
    naive = AT.replace(tzinfo=None)
    yield "skewed: gathered without a zone", replace(good, evidence=replace(EVIDENCE, gathered_at=naive))
    yield "skewed: seen without a zone", good.but("soak", seen_at=naive)
    yield "skewed: judged without a zone", good.but("gates", judged_at=naive)
    yield "skewed: accepted without a zone", good.but("accepted", accepted_at=naive)
    yield (
        "skewed: a session without a zone",
        good.but(
            "soak",
            sessions=each_with(SOAK.sessions, 2, began_at=SOAK.sessions[2].began_at.replace(tzinfo=None)),
        ),
    )
    yield (
        "skewed: a trade without a zone",
        good.but(
            "soak", trades=each_with(SOAK.trades, 2, opened_at=SOAK.trades[2].opened_at.replace(tzinfo=None))
        ),
    )


def _too_few(good: Case) -> Iterator[tuple[str, Case]]:
    for kept in range(len(SOAK.trades)):
        yield f"too few: {kept} trades", good.but("soak", trades=SOAK.trades[:kept])
    for kept in range(len(SOAK.sessions)):
        yield f"too few: {kept} sessions", good.but("soak", sessions=SOAK.sessions[:kept])
    for at, each in enumerate(SOAK.sessions):
        half = replace(each, watched=dict.fromkeys(each.watched, 3.2))
        yield (
            f"too few: half of session {at}",
            good.but("soak", sessions=each_with(SOAK.sessions, at, watched=half.watched)),
        )
    for entries in (0, 1, 3, 18, 60, 6518):
        trades = SOAK.trades[: min(entries, 10)]
        yield f"too few or too many: {entries} entered", good.but("soak", entries=entries, trades=trades)


def _of_another(good: Case) -> Iterator[tuple[str, Case]]:
    yield (
        "wrong release: all of the soak",
        good.but("soak", sessions=tuple(replace(each, release_id=OTHER) for each in SOAK.sessions)),
    )
    for release_id in (OTHER, None, ""):
        for at in range(len(SOAK.sessions)):
            yield (
                f"wrong release: session {at} ran {release_id}",
                good.but("soak", sessions=each_with(SOAK.sessions, at, release_id=release_id)),
            )
        for at in range(len(SOAK.trades)):
            yield (
                f"wrong release: trade {at} was made by {release_id}",
                good.but("soak", trades=each_with(SOAK.trades, at, release_id=release_id)),
            )
    for part in ("release", "gates"):
        yield f"wrong release: {part}", good.but(part, release_id=OTHER)
    for part in ("accepted", "backtest"):
        for name in ("code_sha256", "config_sha256"):
            yield f"wrong {name}: {part}", good.but(part, **{name: OTHER})
    yield "wrong account", good.but("soak", account="alpaca-paper-PA2")
    for at in range(len(SOAK.sessions)):
        for name, value in (
            ("stage", "dev"),
            ("mode", "local exchange"),
            ("mode", "dry"),
            ("config_sha256", OTHER),
            ("strategy", "other"),
        ):
            yield (
                f"wrong {name} of session {at}",
                good.but("soak", sessions=each_with(SOAK.sessions, at, **{name: value})),
            )
    yield "wrong: the subject is another release", replace(good, subject=replace(SUBJECT, release_id=OTHER))
    yield "wrong: a generated backtest", good.but("backtest", generated=True)


def _replayed(good: Case) -> Iterator[tuple[str, Case]]:
    yield (
        "replayed: the soak twice over",
        good.but("soak", sessions=SOAK.sessions * 2, trades=SOAK.trades * 2, entries=20),
    )
    for at, each in enumerate(SOAK.sessions):
        yield f"replayed: session {at} twice", good.but("soak", sessions=(*SOAK.sessions, each))
        again = replace(each, session=f"{each.session}-again")
        yield f"replayed: session {at} under another name", good.but("soak", sessions=(*SOAK.sessions, again))
    for at, one in enumerate(SOAK.trades):
        yield f"replayed: trade {at} twice", good.but("soak", trades=(*SOAK.trades, one), entries=11)
        yield (
            f"replayed: trade {at} in place of another",
            good.but("soak", trades=each_with(SOAK.trades, at, trade_id=SOAK.trades[at - 1].trade_id)),
        )


def _truncated(good: Case) -> Iterator[tuple[str, Case]]:
    for number in (1, 41, 9000):
        yield (
            f"truncated: entry {number} is missing",
            good.but("soak", chain_problem=f"entry {number}: it is missing"),
        )
    for cut in range(1, len(SOAK.sessions)):
        yield f"truncated: the first {cut} sessions", good.but("soak", sessions=SOAK.sessions[cut:])
    for cut in range(1, len(SOAK.trades)):
        yield f"truncated: the first {cut} trades", good.but("soak", trades=SOAK.trades[cut:])
        yield f"truncated: {cut} openings", good.but("soak", entries=10 - cut)


def _gone_wrong(good: Case) -> Iterator[tuple[str, Case]]:
    for kind in ("breaker", "failure", "critical", "disagreement"):
        yield (
            f"gone wrong: {kind}",
            good.but("soak", mishaps=(Mishap(kind=kind, at=AT - DAY, text="what happened"),)),
        )
    for at in range(len(SOAK.sessions)):
        yield (
            f"gone wrong: session {at} was killed",
            good.but("soak", sessions=each_with(SOAK.sessions, at, ended=False)),
        )
    yield (
        "gone wrong: it always loses",
        good.but("soak", trades=tuple(replace(each, net_usd=Decimal(-5)) for each in SOAK.trades)),
    )
    yield (
        "gone wrong: it always wins",
        good.but("soak", trades=tuple(replace(each, net_usd=Decimal(5)) for each in SOAK.trades)),
    )
    yield (
        "gone wrong: slippage",
        good.but("soak", trades=tuple(replace(each, slippage_usd=Decimal(3)) for each in SOAK.trades)),
    )
    yield "gone wrong: the gates are shut", good.but("gates", answer="shut", not_open=("sharpe_min",))
    yield "gone wrong: shut, and nobody knows why", good.but("gates", answer="shut")
    yield "gone wrong: open, with a criterion that is not", good.but("gates", not_open=("sharpe_min",))
    yield "gone wrong: the gates say something else", good.but("gates", answer="tolerated")
    yield (
        "gone wrong: the release is not trusted",
        good.but("release", problem="its signature does not belong to it"),
    )
