"""The one mode of a run, what asks for it, and what stands in its way: values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from magellan.errors import FixInput
from magellan.workspace.broker_account import BrokerAccount


class Mode(StrEnum):
    """Where a session's bars come from, and where its orders go. One per process, fixed when it is made."""

    DRY = "dry"  # bars as they come; it decides and records, and sends nothing
    ARCHIVED = "archived"  # archived bars; no order leaves the process
    LOCAL = "local exchange"  # an exchange on this machine
    PAPER = "paper"  # a broker's paper account
    LIVE = "live"  # real money

    @property
    def sends(self) -> bool:
        """Whether orders leave the process."""
        return self in (Mode.LOCAL, Mode.PAPER, Mode.LIVE)


class Rule(StrEnum):
    """Why there is no mode."""

    TWO_MODES = "two modes"
    PAPER_FLAGS = "paper flags"
    ARCHIVE_IN_PROD = "archive in prod"
    ARCHIVE_AND_LIVE = "archive and live"
    PAPER_IN_PROD = "paper in prod"
    STAGE = "stage"
    ACCOUNT_UNKNOWN = "account unknown"
    NO_ACCOUNT = "no account"
    ACCOUNT_NUMBER = "account number"
    ADDRESS = "address"
    KEYS = "keys"
    ONLY_FOR_LIVE = "only for live"
    LIVE_STAGE = "live needs prod"
    LIVE_SAID = "live needs ALPACA_PAPER=false"
    LIVE_TYPED = "live needs its number typed"
    LIVE_ARMED = "live needs a release or an arming person"
    NO_ORDERS = "the account is read only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says about the mode."""

    dry_run: bool = False
    archived: bool = False
    account: str | None = None  # its name in magellan.toml
    typed_number: str | None = None  # the account number, typed by a person for live
    armed_by: str | None = None  # the person who arms live without an approved release
    approved_release: str | None = None  # the release that runs, where one was approved for live


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that stands in the way of a mode."""

    rule: Rule
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The one mode of a run, and the account it trades."""

    mode: Mode
    account_name: str | None = None
    account: BrokerAccount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """No mode, and every reason why."""

    problems: tuple[Problem, ...]  # at least one

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(dict.fromkeys(problem.rule for problem in self.problems))

    def as_error(self) -> FixInput:
        """The refusal for a person."""
        return FixInput(
            "; ".join(problem.reason for problem in self.problems),
            kept="nothing was opened, and no order was sent",
            next_step="correct what contradicts, or use --dry-run: it decides and sends nothing",
        )
