"""What an exchange's server is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from magellan.exchange.data_api.entitlement import ALGO_TRADER_PLUS, Entitlement
from magellan.exchange.server.accounts import KnownAccount
from magellan.exchange.server.clock import ClockMode
from magellan.exchange.server.faults.plan import FaultPlan
from magellan.exchange.server.websocket import StreamTerms
from magellan.exchange.venue.terms import AccountTerms, VenueTerms

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """One exchange.

    host, port:      where it listens; port 0 takes a free one.
    seed:            of ids, chance and faults.
    mode, speed:     of the clock. start_ns: exchange time at the start, UTC; the shifted clock does not ask for it.
    end_ns:          where the served data ends, UTC; None: never.
    accounts:        the pairs that are let in, with their accounts; None: any pair opens one with `opening`.
    plan:            faults in force from the start.
    requests_per_minute: per key; None: no limit.
    log_file:        gets every line of the event log; it is written anew.
    api_as_of:       the day whose protocol is spoken.
    entitlement:     what every key pair may see of market data.
    feed:            of share data, for requests that name none: sip or iex; None: as Alpaca chooses.
    """

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0
    mode: ClockMode = ClockMode.SHIFTED
    speed: float = 1.0
    start_ns: int = 0
    end_ns: int | None = None
    accounts: tuple[KnownAccount, ...] | None = None
    opening: AccountTerms = field(default_factory=AccountTerms)
    plan: FaultPlan | None = None
    requests_per_minute: int | None = None
    streams: StreamTerms = field(default_factory=StreamTerms)
    log_file: Path | None = None
    venue: VenueTerms = field(default_factory=VenueTerms)
    api_as_of: date
    entitlement: Entitlement = ALGO_TRADER_PLUS
    feed: str | None = None

    @property
    def is_exposed(self) -> bool:
        """Whether other machines can reach it."""
        return self.host not in LOOPBACK
