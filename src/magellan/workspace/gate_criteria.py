"""Gate criteria: the thresholds of a strategy's gates, as its config.json states them.

`THRESHOLDS` is the table of everything that a config can set under `gates`: what is measured, which way it is
judged, and the default of each kind of strategy. What no config can change (no failed test, no look-ahead) is
in `gate/criteria.py`. docs/guides/gates.md explains every row to a trader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Kind = Literal["intraday", "swing", "trend"]
Share = Annotated[float, Field(ge=0, le=1)]


class Bound(StrEnum):
    """Which side of a threshold is the good one."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One line of the table: a threshold that a config may tighten, or loosen on record."""

    bound: Bound
    meaning: str  # what is compared with it, for a trader
    intraday: float
    swing: float
    trend: float

    def default(self, kind: Kind) -> float:
        """The default for that kind of strategy."""
        return {"intraday": self.intraday, "swing": self.swing, "trend": self.trend}[kind]

    def is_looser(self, value: float, than: float) -> bool:
        """Whether `value` lets more through than the other value."""
        return value < than if self.bound is Bound.AT_LEAST else value > than


def _all(bound: Bound, value: float, meaning: str) -> Threshold:
    return Threshold(bound=bound, meaning=meaning, intraday=value, swing=value, trend=value)


def _each(bound: Bound, intraday: float, swing: float, trend: float, meaning: str) -> Threshold:
    return Threshold(bound=bound, meaning=meaning, intraday=intraday, swing=swing, trend=trend)


# Where the numbers come from is told in docs/guides/gates.md, "Thresholds". A change of a default is a new
# `GateCriteria.version`, so that a config says which defaults it was written against.
THRESHOLDS: Final[Mapping[str, Threshold]] = {
    "tests_min": _all(Bound.AT_LEAST, 1, "the strategy's own tests that passed"),
    "sessions_min": _each(Bound.AT_LEAST, 60, 250, 500, "exchange sessions that the backtest covers"),
    "trades_min": _each(Bound.AT_LEAST, 100, 50, 30, "closed trades; fewer say little about the next ones"),
    "sharpe_min": _each(Bound.AT_LEAST, 1.0, 0.7, 0.5, "yearly Sharpe ratio, of returns per session"),
    "sharpe_lower_min": _all(
        Bound.AT_LEAST, 0.0, "lower end of the Sharpe ratio's confidence interval (90 %, bootstrap)"
    ),
    "drawdown_max": _each(
        Bound.AT_MOST, 0.15, 0.25, 0.30, "deepest fall of equity from its peak, as a fraction of the peak"
    ),
    "profit_factor_min": _each(Bound.AT_LEAST, 1.1, 1.2, 1.3, "sum of wins over sum of losses, after costs"),
    "win_rate_min": _each(Bound.AT_LEAST, 0.30, 0.25, 0.20, "share of closed trades that earn money"),
    "cost_bps_min": _all(
        Bound.AT_LEAST, 1.0, "costs that the backtest charged, in basis points of the amount traded"
    ),
    "return_doubled_costs_min": _all(Bound.AT_LEAST, 0.0, "return of the run when every cost is doubled"),
    "return_one_bar_late_min": _all(
        Bound.AT_LEAST, 0.0, "return of the run when every decision is carried out one bar later"
    ),
    "return_without_best_symbol_min": _all(
        Bound.AT_LEAST, 0.0, "lowest return of the runs that leave out one symbol"
    ),
    "neighbours_kept_min": _all(
        Bound.AT_LEAST,
        0.7,
        "share of runs with one parameter moved by 10 % that keep at least half of the Sharpe ratio",
    ),
    "sharpe_drop_max": _all(
        Bound.AT_MOST, 0.25, "how far the Sharpe ratio lies below that of the last accepted run"
    ),
    "drawdown_rise_max": _all(
        Bound.AT_MOST, 0.05, "how much deeper the drawdown is than that of the last accepted run"
    ),
}


class Loosening(BaseModel):
    """Who loosened a default, from what to what, why and when."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    criterion: str = Field(description="the threshold's name")
    from_: float = Field(alias="from", description="the default")
    to: float = Field(description="the value that the config sets")
    reason: str = Field(pattern=r"\S", description="why, for whoever reads it in a year")
    by: str = Field(pattern=r"\S", description="who decided it")
    on: date

    @field_validator("on", mode="before")
    @classmethod
    def _json_has_no_dates(cls, value: Any) -> Any:
        return date.fromisoformat(value) if isinstance(value, str) else value


class GateCriteria(BaseModel):
    """Thresholds that differ from the defaults of the strategy's kind; null takes the default."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    version: Literal[1] = Field(1, description="of the defaults that this strategy is judged by")
    # Neither can be loosened to zero: no tests and no trades are no evidence (incident 15).
    tests_min: int | None = Field(None, ge=1, description=THRESHOLDS["tests_min"].meaning)
    trades_min: int | None = Field(None, ge=1, description=THRESHOLDS["trades_min"].meaning)
    sessions_min: int | None = Field(None, ge=1, description=THRESHOLDS["sessions_min"].meaning)
    sharpe_min: float | None = Field(None, description=THRESHOLDS["sharpe_min"].meaning)
    sharpe_lower_min: float | None = Field(None, description=THRESHOLDS["sharpe_lower_min"].meaning)
    drawdown_max: Share | None = Field(None, description=THRESHOLDS["drawdown_max"].meaning)
    profit_factor_min: float | None = Field(None, ge=0, description=THRESHOLDS["profit_factor_min"].meaning)
    win_rate_min: Share | None = Field(None, description=THRESHOLDS["win_rate_min"].meaning)
    cost_bps_min: float | None = Field(None, ge=0, description=THRESHOLDS["cost_bps_min"].meaning)
    return_doubled_costs_min: float | None = Field(
        None, description=THRESHOLDS["return_doubled_costs_min"].meaning
    )
    return_one_bar_late_min: float | None = Field(
        None, description=THRESHOLDS["return_one_bar_late_min"].meaning
    )
    return_without_best_symbol_min: float | None = Field(
        None, description=THRESHOLDS["return_without_best_symbol_min"].meaning
    )
    neighbours_kept_min: Share | None = Field(None, description=THRESHOLDS["neighbours_kept_min"].meaning)
    sharpe_drop_max: float | None = Field(None, ge=0, description=THRESHOLDS["sharpe_drop_max"].meaning)
    drawdown_rise_max: Share | None = Field(None, description=THRESHOLDS["drawdown_rise_max"].meaning)
    loosened: tuple[Loosening, ...] = Field(
        (), description="one entry for every threshold that is looser than its default"
    )

    @field_validator("loosened", mode="before")
    @classmethod
    def _json_has_no_tuples(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    def threshold(self, name: str, kind: Kind) -> float:
        """The threshold in force, named as in THRESHOLDS: what the config sets, else the kind's default."""
        stated = getattr(self, name)
        return float(THRESHOLDS[name].default(kind) if stated is None else stated)

    def unrecorded_loosening(self, kind: Kind) -> tuple[str, ...]:
        """What is wrong between the thresholds that are looser than their defaults and the record of them.

        One sentence each, beginning with the key; empty when every loosening is on record and every record
        is of a loosening that is in force.
        """
        problems = []
        recorded: dict[str, Loosening] = {}
        for entry in self.loosened:
            if entry.criterion not in THRESHOLDS:
                problems.append(f"gates.loosened: '{entry.criterion}' is no threshold of the gates")
            elif entry.criterion in recorded:
                problems.append(f"gates.loosened: '{entry.criterion}' is recorded twice")
            recorded[entry.criterion] = entry
        for name, threshold in THRESHOLDS.items():
            in_force, default = self.threshold(name, kind), threshold.default(kind)
            record = recorded.get(name)
            if not threshold.is_looser(in_force, default):
                if record is not None:
                    problems.append(
                        f"gates.loosened: '{name}' is on record, but {in_force:g} is not looser than "
                        f"{default:g}"
                    )
            elif record is None:
                problems.append(
                    f"gates.{name}: {in_force:g} is looser than {default:g}, the default of kind '{kind}'; "
                    f"add to gates.loosened who loosened it and why: "
                    f'{{"criterion": "{name}", "from": {default:g}, "to": {in_force:g}, '
                    f'"reason": "...", "by": "...", "on": "YYYY-MM-DD"}}'
                )
            elif (record.from_, record.to) != (default, in_force):
                problems.append(
                    f"gates.loosened: '{name}' is on record as {record.from_:g} to {record.to:g}, "
                    f"but the config goes from {default:g} to {in_force:g}"
                )
        return tuple(problems)
