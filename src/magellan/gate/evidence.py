"""Evidence: what was measured of a strategy, from where and when; or why it could not be measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from magellan.workspace.threshold import Kind as StrategyKind


class Kind(StrEnum):
    """What sort of evidence it is; each is gathered once."""

    LINT = "lint"
    TYPES = "types"
    CONFIG = "config"
    TESTS = "tests"
    DATA = "data"
    BACKTEST = "backtest"
    LOOKAHEAD = "look-ahead"
    ROBUSTNESS = "robustness"
    ACCEPTED = "accepted run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measured value, and how far it can be trusted."""

    value: float
    low: float | None = None  # ends of its confidence interval; None on both where it is exact
    high: float | None = None
    level: float | None = None  # of the interval: 0.9 is 90 %
    sample: int | None = None  # how much it was measured on
    sample_of: str = ""  # what the sample counts: "trades", "tests"
    detail: str = ""  # what was found, in words; "" when the value says it all

    @property
    def is_number(self) -> bool:
        """Whether it can be compared at all. NaN and infinities cannot."""
        return math.isfinite(self.value)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends of the interval; None where there is none, or it is not one."""
        if self.low is None or self.high is None or not self.low <= self.high:
            return None
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Stands where a value would stand. It never becomes a number: missing stays missing (incident 36)."""

    reason: str  # for people: "no trade was closed"


Measure = Measured | Unmeasured


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One kind of evidence on one strategy."""

    kind: Kind
    about: str  # digest of the strategy's files when it was gathered; see `Subject`
    source: str  # the tool and version, or the run, that it comes from
    gathered_at: datetime  # aware, UTC
    measured: Mapping[str, Measure] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)  # what else a reader wants to know: digests, ages
    warnings: tuple[str, ...] = ()  # what a person should look at, though it shuts nothing
    error: str = ""  # why it could not be gathered; then nothing is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The strategy that is judged, exactly."""

    label: str  # prod/bear_trap
    version: str
    kind: StrategyKind
    files_sha256: str  # of strategy.py, config.json and the tests: all evidence must be about these
    code_sha256: str
    config_sha256: str
