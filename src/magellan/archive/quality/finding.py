"""Findings: one thing that a check noticed, and the verdict over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from magellan.archive.dataset import SetId
from magellan.trading.bar import Instants, instant

_EXAMPLES = 5


class Severity(StrEnum):
    """What a finding does to the verdict."""

    REFUSE = "refuse"  # results on these bars would mislead: the gate stays shut
    WARN = "warn"  # a person should know before believing a result
    NOTE = "note"  # good to know


class Kind(StrEnum):
    """What was noticed. The guide docs/guides/data.md explains each."""

    SHORT_RANGE = "short-range"
    MISSING_SESSIONS = "missing-sessions"
    CUT_SESSIONS = "cut-sessions"
    HALTS = "halts"
    HOLES = "holes"
    QUIET_MINUTES = "quiet-minutes"
    THIN_SYMBOL = "thin-symbol"
    EXTENDED_HOURS = "extended-hours"
    FEW_SESSIONS = "few-sessions"
    MIXED_OPENING_BAR = "mixed-opening-bar"
    HALF_DAYS = "half-days"
    NOT_REQUESTED = "not-requested"
    PHANTOM_DAYS = "phantom-days"
    DUPLICATES = "duplicates"
    REPEATED_ROWS = "repeated-rows"
    ZERO_VOLUME = "zero-volume"
    NOT_ABOVE_ZERO = "not-above-zero"
    FUTURE_BARS = "future-bars"
    UNEXPLAINED_JUMPS = "unexplained-jumps"
    EXPLAINED_JUMPS = "explained-jumps"
    LARGE_GAPS = "large-gaps"
    UNSEEN_MOVES = "unseen-moves"
    BAD_PRINTS = "bad-prints"
    POLLUTION = "pollution"
    CONTENT_CHANGED = "content-changed"
    UNREADABLE = "unreadable"
    OUTSIDE_CALENDAR = "outside-calendar"


class Verdict(StrEnum):
    """What the findings come to."""

    FIT = "fit"
    FIT_WITH_WARNINGS = "fit with warnings"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check noticed about a set."""

    kind: Kind
    severity: Severity
    count: int  # how many rows, sessions, jumps, ...
    first_at: datetime | None  # aware, UTC: where it begins; None when it has no place
    measured: str
    expected: str
    explanation: str  # one sentence
    examples: tuple[str, ...] = ()  # the first few, each with its place
    advice: str = ""  # what to do; "" when nothing needs doing


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """Everything noticed about one set, worst first."""

    set_id: SetId
    rows: int
    first_at: datetime
    last_at: datetime
    sha256: str  # of the content that was looked at
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """Unfit with one reason to refuse, fit with warnings with one warning, else fit."""
        severities = {finding.severity for finding in self.findings}
        if Severity.REFUSE in severities:
            return Verdict.UNFIT
        return Verdict.FIT_WITH_WARNINGS if Severity.WARN in severities else Verdict.FIT

    def of(self, kind: Kind) -> Finding | None:
        """The finding of that kind, where there is one."""
        return next((finding for finding in self.findings if finding.kind is kind), None)


def told(at_ns: int, *, daily: bool) -> str:
    """An instant as findings write it: the date of a daily bar, else to the minute, in UTC."""
    return f"{instant(at_ns):%Y-%m-%d}" if daily else f"{instant(at_ns):%Y-%m-%dT%H:%MZ}"


def counted(count: int, noun: str) -> str:
    """A number of things in words: "1 bar", "1,478 bars"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def few(examples: Sequence[str]) -> tuple[str, ...]:
    """The first few of many examples."""
    return tuple(examples[:_EXAMPLES])


def places(at_ns: Instants, *, daily: bool) -> tuple[str, ...]:
    """The first few instants, told."""
    return few([told(at, daily=daily) for at in at_ns[:_EXAMPLES].tolist()])
