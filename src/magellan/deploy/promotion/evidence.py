"""Evidence of a promotion: all that is known of one release, as a frozen value. Nothing is concluded here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from magellan.workspace.threshold import Kind as StrategyKind
from magellan.workspace.workspace import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The promotion that is asked for: this release, from this stage to that one."""

    strategy: str  # bear_trap
    release_id: str
    release_name: str  # as people call it: bear_trap-7-1f3a90c2d4e5
    version: str
    kind: StrategyKind
    code_sha256: str
    config_sha256: str
    from_stage: Stage
    to_stage: Stage
    soak_account: str  # the account of `from_stage`, as the ledger calls it; "" where no soak is asked for
    to_account: (
        str  # the account that it would trade there, as the ledger calls it; "" where the stage names none
    )
    is_rehearsal: bool  # that account is an exchange on this machine: no money, so generated bars will do


class About(StrEnum):
    """What evidence is about. Each is gathered by itself, and what cannot be is an error of all that rests on it."""

    RELEASE = "release"
    GATES = "gates"
    ACCEPTED = "accepted run"
    BACKTEST = "backtest"
    SOAK = "soak"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSaid:
    """What was found when the release was read, byte for byte."""

    release_id: str
    problem: str  # why it is not to be trusted; "": it is whole, and a trusted key signed it
    signer: str | None  # that key's name in magellan.toml
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatesSaid:
    """The gates' verdict inside the release, which its name covers."""

    release_id: str
    answer: str  # open or shut
    judged_at: datetime
    not_open: tuple[str, ...]  # names of criteria


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedSaid:
    """The newest run that a person accepted; what trades must be what was accepted (incidents 7 and 8)."""

    run_id: str
    code_sha256: str
    config_sha256: str
    by: str
    accepted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtested:
    """What a kept backtest of exactly this code and config predicts."""

    run_id: str
    code_sha256: str
    config_sha256: str
    generated: bool  # over generated bars
    sessions: int
    trades: int  # closed
    wins: int  # of them, after all costs
    break_even: (
        float | None
    )  # win rate at which gains and losses of their mean sizes cancel out; None: no loss, or no gain
    entries_per_session: float
    entries: CountBand | None  # of as many sessions as the soak watched; None: it cannot be drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class CountBand:
    """How many trades a number of sessions of the backtest's history hold, by resampling them."""

    sessions: float  # that were watched, in whole sessions' time
    low: int
    high: int
    level: float
    resamples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakSession:
    """One runner's session of the release on the account."""

    session: str  # id
    release_id: str | None
    strategy: str
    stage: str
    mode: str
    config_sha256: str
    began_at: datetime  # aware, UTC
    last_at: datetime  # of its newest entry
    ended: bool  # it said that it ended, or is running now
    watched: Mapping[date, float]  # market hours by exchange date, without those in which it was silent


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakTrade:
    """One closed trade of the soak."""

    trade_id: str
    release_id: str | None
    opened_at: datetime
    closed_at: datetime
    net_usd: Decimal  # after commission
    slippage_usd: Decimal | None  # of the entry; None: nobody knows the decision's price
    value_usd: Decimal  # of the entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """Something that a soak must be without."""

    kind: str  # breaker, failure, critical or disagreement
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What the ledger holds of the release on the account of its stage."""

    account: str  # as the ledger calls it
    head: str  # where its chain ends: number:hash
    chain_problem: str  # where the chain breaks, or lacks what was noted earlier; "": it holds
    time_problem: str  # where its entries run backwards; ""
    sessions: tuple[SoakSession, ...]
    trades: tuple[SoakTrade, ...]  # closed
    entries: int  # trades that were opened
    reconciliations: int
    mishaps: tuple[Mishap, ...]
    others: int  # sessions on the account since then that were of another release, and count for nothing
    lengths: Mapping[date, float]  # hours of the session of every date that was watched; half days have fewer
    seen_at: datetime  # what the account's clock showed when the ledger was read


@dataclass(frozen=True, slots=True)
class Ungathered:
    """Stands where evidence would stand, and says why there is none."""

    about: About
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that a promotion rests on."""

    gathered_at: datetime  # aware, UTC
    release: ReleaseSaid | Ungathered
    gates: GatesSaid | Ungathered
    accepted: AcceptedSaid | Ungathered
    backtest: Backtested | Ungathered
    soak: Soak | Ungathered
