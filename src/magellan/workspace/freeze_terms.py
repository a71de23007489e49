"""Freeze as magellan.toml has it: when nothing new goes to where real money trades."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, field_validator

from magellan.workspace.section import Section

TimeOfDay = Annotated[str, Field(pattern=r"^(|([01][0-9]|2[0-3]):[0-5][0-9](:00)?)$")]
YearlySpan = Annotated[str, Field(pattern=r"^[0-9]{2}-[0-9]{2}/[0-9]{2}-[0-9]{2}$")]


class FreezeTerms(Section):
    """Windows in which nothing is deployed to prod. Times are those of the exchange's clock, dates its calendar's."""

    friday_after: TimeOfDay = Field(
        "14:00",
        description="from this time of a week's last session until Monday; a half day as much earlier as it closes; "
        '"" for never',
    )
    yearly: tuple[YearlySpan, ...] = Field(
        ("12-20/01-02",), description="month-day of the first and the last date, both included"
    )
    events: str = Field(
        "", description="file of dates such as FOMC meetings, in the workspace; .csv or .toml; empty: none"
    )
    event_sessions_before: int = Field(0, ge=0, le=20, description="sessions before such a date, frozen too")
    event_sessions_after: int = Field(0, ge=0, le=20, description="sessions after it")
    earnings: str = Field(
        "", description="file of earnings dates by symbol, for strategies that hold or trade the symbol"
    )
    earnings_sessions_before: int = Field(1, ge=0, le=20, description="sessions before them, frozen too")
    earnings_sessions_after: int = Field(1, ge=0, le=20, description="sessions after them")
    hours_from: TimeOfDay = Field("10:00", description="outside these hours a deployment is advised against")
    hours_to: TimeOfDay = Field(
        "14:00", description='on half days as much earlier as they close; "" for none'
    )
    override_hours_max: float = Field(
        24, gt=0, le=168, description="how long an override for a hot fix may hold"
    )

    @field_validator("yearly")
    @classmethod
    def _has_such_dates(cls, spans: tuple[str, ...]) -> tuple[str, ...]:
        for span in spans:
            for each in span.split("/"):
                date.fromisoformat(f"2024-{each}")  # a leap year; raises ValueError
        return spans

    @field_validator("yearly", mode="before")
    @classmethod
    def _toml_has_no_tuples(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value
