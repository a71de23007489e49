"""What the environment variables say about a run, and where one contradicts another."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from magellan.errors import FixInput
from magellan.settings.mode import Problem, Rule
from magellan.workspace.workspace import Stage

_STAGES: Final[Mapping[str, Stage | None]] = {
    "": None,
    "dev": Stage.DEV,
    "development": Stage.DEV,
    "test": Stage.TEST,
    "testing": Stage.TEST,
    "staging": Stage.TEST,
    "prod": Stage.PROD,
    "production": Stage.PROD,
    "live": Stage.PROD,
}


class RunSettings(BaseModel):
    """The environment variables that a run reads, keys apart. What is empty is not set."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    environment: Literal[
        "dev", "development", "test", "testing", "staging", "prod", "production", "live", ""
    ] = Field("", description="ENVIRONMENT: the stage this process belongs to")
    alpaca_paper: bool | None = Field(None, description="ALPACA_PAPER: orders go to a paper account")
    paper_trading: bool | None = Field(None, description="PAPER_TRADING: an older word for the same")
    use_archived_data: bool | None = Field(
        None,
        description="USE_ARCHIVED_DATA: replay the workspace's archived bars; no order leaves the process",
    )
    alpaca_account_id: str | None = Field(
        None, description="ALPACA_ACCOUNT_ID: number of the account, one of those in magellan.toml"
    )
    apca_api_base_url: str | None = Field(None, description="APCA_API_BASE_URL: the broker's address")
    alpaca_base_url: str | None = Field(None, description="ALPACA_BASE_URL: another word for the same")

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    @property
    def stage(self) -> Stage | None:
        """The stage of this process; None where nothing says it."""
        return _STAGES[self.environment]

    @property
    def paper(self) -> bool | None:
        """Whether orders go to a paper account, by whichever variable says it."""
        return self.paper_trading if self.alpaca_paper is None else self.alpaca_paper

    def contradictions(self) -> tuple[Problem, ...]:
        """Where one variable contradicts another, whatever is run."""
        return tuple(self._contradictions())

    def _contradictions(self) -> Iterator[Problem]:
        if self.paper_trading is not None and self.alpaca_paper not in (None, self.paper_trading):
            yield Problem(
                rule=Rule.PAPER_FLAGS,
                reason=f"ALPACA_PAPER is {_said(self.alpaca_paper)} and PAPER_TRADING is "
                f"{_said(self.paper_trading)}: one of them is wrong",
            )
        if self.use_archived_data and self.stage is Stage.PROD:
            yield Problem(
                rule=Rule.ARCHIVE_IN_PROD,
                reason=f"USE_ARCHIVED_DATA is true and ENVIRONMENT is {self.environment}: production never reads "
                "the archive",
            )
        if self.use_archived_data and False in (self.alpaca_paper, self.paper_trading):
            yield Problem(
                rule=Rule.ARCHIVE_AND_LIVE,
                reason=f"USE_ARCHIVED_DATA is true and {self._paper_variable(False)} is false: archived bars never "
                "reach a live account",
            )
        if self.stage is Stage.PROD and True in (self.alpaca_paper, self.paper_trading):
            yield Problem(
                rule=Rule.PAPER_IN_PROD,
                reason=f"ENVIRONMENT is {self.environment} and {self._paper_variable(True)} is true: one of them is "
                "wrong",
            )
        addresses = {each for each in (self.apca_api_base_url, self.alpaca_base_url) if each}
        if len(addresses) == 2:
            yield Problem(
                rule=Rule.ADDRESS,
                reason="APCA_API_BASE_URL and ALPACA_BASE_URL name different addresses: one of them is wrong",
            )

    def _paper_variable(self, says: bool) -> str:
        return "ALPACA_PAPER" if self.alpaca_paper is says else "PAPER_TRADING"


def run_settings(variables: Mapping[str, str] = os.environ) -> RunSettings:
    """What those variables say; otherwise this process's.

    Raises FixInput for a value that cannot be read, or a contradiction.
    """
    said = {
        name: variables[name.upper()]
        for name in RunSettings.model_fields
        if variables.get(name.upper(), "").strip()
    }
    try:
        settings = RunSettings.model_validate(said)
    except ValidationError as error:
        problems = []
        for each in error.errors(include_url=False):
            words = each["msg"].replace("Input should be ", "it should be ")
            if each["type"] == "bool_parsing":
                words = "it should be true or false"
            problems.append(f"{str(each['loc'][0]).upper()} is {each['input']!r}: {words}")
    else:
        problems = [problem.reason for problem in settings.contradictions()]
        if not problems:
            return settings
    raise FixInput("; ".join(problems), next_step="correct the environment variable, or unset it")


def _said(value: bool | None) -> str:
    return str(value).lower()
