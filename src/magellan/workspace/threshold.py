"""Thresholds of a strategy that have a default per kind: what may be tightened freely, and loosened on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

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


def for_all(bound: Bound, value: float, meaning: str) -> Threshold:
    """The same default for every kind."""
    return Threshold(bound=bound, meaning=meaning, intraday=value, swing=value, trend=value)


def for_each(bound: Bound, intraday: float, swing: float, trend: float, meaning: str) -> Threshold:
    """A default per kind."""
    return Threshold(bound=bound, meaning=meaning, intraday=intraday, swing=swing, trend=trend)


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


class Criteria(BaseModel):
    """Thresholds that differ from the defaults of the strategy's kind; null takes the default.

    A section of the config: its subclass names the section and its table, and has a field for each row of it.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    SECTION: ClassVar[str]
    TABLE: ClassVar[Mapping[str, Threshold]]

    version: Literal[1] = Field(1, description="of the defaults that this strategy is judged by")
    loosened: tuple[Loosening, ...] = Field(
        (), description="who loosened what and why: one entry for every threshold looser than its default"
    )

    @field_validator("loosened", mode="before")
    @classmethod
    def _json_has_no_tuples(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    def threshold(self, name: str, kind: Kind) -> float:
        """The threshold in force, named as in the table: what the config sets, else the kind's default."""
        stated = getattr(self, name)
        return float(self.TABLE[name].default(kind) if stated is None else stated)

    def unrecorded_loosening(self, kind: Kind) -> tuple[str, ...]:
        """What is wrong between loosened thresholds and the record of them; see `unrecorded_loosening` below."""
        in_force = {name: self.threshold(name, kind) for name in self.TABLE}
        return unrecorded_loosening(self.SECTION, self.TABLE, in_force, self.loosened, kind)


def unrecorded_loosening(
    section: str,
    table: Mapping[str, Threshold],
    in_force: Mapping[str, float],
    loosened: Sequence[Loosening],
    kind: Kind,
) -> tuple[str, ...]:
    """What is wrong between the thresholds that are looser than their defaults and the record of them.

    section:  of the config that holds them, for messages.
    in_force: the thresholds as they are, by name.
    One sentence each, beginning with the key; empty when every loosening is on record and every record is of a
    loosening that is in force.
    """
    problems = []
    recorded: dict[str, Loosening] = {}
    for entry in loosened:
        if entry.criterion not in table:
            problems.append(f"{section}.loosened: '{entry.criterion}' is no threshold of `{section}`")
        elif entry.criterion in recorded:
            problems.append(f"{section}.loosened: '{entry.criterion}' is recorded twice")
        recorded[entry.criterion] = entry
    for name, threshold in table.items():
        now, default = in_force[name], threshold.default(kind)
        record = recorded.get(name)
        if not threshold.is_looser(now, default):
            if record is not None:
                problems.append(
                    f"{section}.loosened: '{name}' is on record, but {now:g} is not looser than {default:g}"
                )
        elif record is None:
            problems.append(
                f"{section}.{name}: {now:g} is looser than {default:g}, the default of kind '{kind}'; "
                f"add to {section}.loosened who loosened it and why: "
                f'{{"criterion": "{name}", "from": {default:g}, "to": {now:g}, '
                f'"reason": "...", "by": "...", "on": "YYYY-MM-DD"}}'
            )
        elif (record.from_, record.to) != (default, now):
            problems.append(
                f"{section}.loosened: '{name}' is on record as {record.from_:g} to {record.to:g}, "
                f"but the config goes from {default:g} to {now:g}"
            )
    return tuple(problems)
