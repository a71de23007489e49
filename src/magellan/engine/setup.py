"""Setup: everything that is fixed when a session is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from magellan.ledger.entries import SessionBegan
from magellan.risk.breakers import BreakerLimits
from magellan.risk.limits import RiskLimits
from magellan.strategy.contract import Parameters, Strategy
from magellan.trading.capabilities import Capabilities
from magellan.trading.session import ExchangeCalendar
from magellan.trading.timeframe import Timeframe
from magellan.workspace.config import StrategyConfig


class Differing(StrEnum):
    """What to do when the broker and our book disagree."""

    REFUSE = "refuse"  # no entry until a person has looked; at the start the session does not begin
    ADOPT = "adopt"  # take over what the broker holds
    FLATTEN = "flatten"  # sell what we cannot explain


class AtTheEnd(StrEnum):
    """What becomes of positions when the session is stopped."""

    HOLD = "hold"  # they stay, with their protection at the broker
    FLATTEN = "flatten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """How long a session waits, in seconds."""

    round_wait_s: float = 1.5  # after a bar's end, for the symbols whose bar has not come
    close_lead_s: float = 1.0  # exits "at the close" are sent so long before it
    decide_within_s: float = 15.0  # entries are decided at most so long after trading could go on
    lookup_pauses_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # the last one repeats
    absent_after_s: float = 30.0  # an order that nobody has seen for so long never arrived
    absent_answers: int = 3  # and the broker has said so as often
    forgotten_after_s: float = 120.0  # an order that the broker had, and has denied for so long, is gone
    partial_entry_s: float = 30.0  # a partly filled entry is left with sleeping protection for so long
    stuck_s: float = 20.0  # a change that nobody has heard of for so long is asked for
    refused_pause_s: float = 5.0  # before a refused protection or exit is tried again
    reconcile_every_s: float = 60.0
    differs_for_s: float = 10.0  # a difference that explains itself within this is none
    late_spans: float = 3.0  # bars are late after so many spans without one in an open session


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSetup:
    """Everything that is fixed when a session is made.

    began: what the ledger is told of the session; its symbols are those traded, in the order of the config.
    """

    session_id: str
    account: str
    began: SessionBegan
    config: StrategyConfig
    strategy: Strategy
    parameters: Mapping[str, Parameters]  # of every symbol traded
    calendar: ExchangeCalendar
    capabilities: Capabilities
    heard_before: str | None = (
        None  # what an earlier session of the account left beside the ledger; None: nothing
    )
    sends: bool = True  # False: a dry run decides and records, and sends nothing
    timings: Timings = field(default_factory=Timings)
    differing: Differing = Differing.REFUSE
    at_the_end: AtTheEnd = AtTheEnd.HOLD
    failures_max: int = 3  # exceptions of the strategy's code before entries stop
    keeps_every_decision: bool = True  # False: only those that lead to something
    # Of prices we send, where the instrument states no tick; None: a cent, and below 1 $ a hundredth of one; 0: as is.
    price_step_usd: Decimal | None = None
    limits: RiskLimits = field(default_factory=RiskLimits)
    breaker_limits: BreakerLimits = field(default_factory=BreakerLimits)

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.config.symbols

    @property
    def timeframe(self) -> Timeframe:
        return Timeframe.parse(self.config.data.timeframe)
