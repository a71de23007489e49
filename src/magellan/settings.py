"""Settings: what the environment says about a run, read once into one frozen value."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from magellan.errors import FixInput

_PRODUCTION = frozenset({"prod", "production", "live"})


class Mode(StrEnum):
    """Where a runner's bars come from and where its orders go."""

    ARCHIVED = "archived"  # archived bars, no orders
    NONE = "none"  # nothing is chosen


class RunSettings(BaseSettings):
    """The environment variables that a strategy's runner reads."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False)

    environment: Literal[
        "dev", "development", "test", "testing", "staging", "prod", "production", "live", ""
    ] = Field("", description="ENVIRONMENT: the stage this process belongs to")
    alpaca_paper: bool | None = Field(None, description="ALPACA_PAPER: orders go to a paper account")
    use_archived_data: bool = Field(
        False,
        description="USE_ARCHIVED_DATA: replay the workspace's archived bars; no order leaves the process",
    )

    @model_validator(mode="after")
    def _must_not_contradict_itself(self) -> Self:
        if self.use_archived_data and self.environment in _PRODUCTION:
            raise ValueError(
                f"USE_ARCHIVED_DATA is true and ENVIRONMENT is {self.environment}: production never reads the archive"
            )
        if self.use_archived_data and self.alpaca_paper is False:
            raise ValueError(
                "USE_ARCHIVED_DATA is true and ALPACA_PAPER is false: archived bars never reach a live account"
            )
        if self.environment in _PRODUCTION and self.alpaca_paper:
            raise ValueError(
                f"ENVIRONMENT is {self.environment} and ALPACA_PAPER is true: one of them is wrong"
            )
        return self

    @property
    def mode(self) -> Mode:
        return Mode.ARCHIVED if self.use_archived_data else Mode.NONE


def run_settings() -> RunSettings:
    """The settings of this process. Raises FixInput for a value that cannot be read or a contradiction."""
    try:
        return RunSettings()
    except ValidationError as error:
        problems = []
        for each in error.errors(include_url=False):
            name = str(each["loc"][0]).upper() if each["loc"] else ""
            words = each["msg"].removeprefix("Value error, ").replace("Input should be ", "it should be ")
            if each["type"] == "bool_parsing":
                words = "it should be true or false"
            problems.append(f"{name} is {each['input']!r}: {words}" if name else words)
        raise FixInput(
            "; ".join(problems), next_step="correct the environment variable, or unset it"
        ) from None
