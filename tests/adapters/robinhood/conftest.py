"""A server that stands in for Robinhood's, and brokers that speak to it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
import pytest
from pydantic import SecretStr

from adapters.robinhood.stand_in import ACCOUNT, StandIn
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.robinhood.access import RobinhoodAccess
from magellan.adapters.robinhood.broker import RobinhoodBroker
from magellan.adapters.robinhood.login import KeptLogin, kept_auth
from magellan.adapters.robinhood.order_names import SentOrder

T = TypeVar("T")
WITHIN_S = 20
CALENDAR = load_calendar("XNYS")


@dataclass
class InMemory:
    """A place for a login."""

    login: dict[str, Any] | None = None
    name: str = "memory"
    written: int = field(default=0)

    def read(self) -> SecretStr | None:
        return None if self.login is None else SecretStr(json.dumps(self.login))

    def write(self, login: SecretStr | None) -> None:
        self.written += 1
        self.login = None if login is None else json.loads(login.get_secret_value())


@dataclass
class Trader:
    """Makes brokers for the stand-in, one after the other, as restarts do."""

    there: StandIn
    place: InMemory
    recorded: list[SentOrder] = field(default_factory=list)

    def access(self, **terms: Any) -> RobinhoodAccess:
        quick = {"call_every_s": 0.0, "poll_s": 0.02, "idle_poll_s": 0.02}
        quick |= {"pause_s": 0.01, "limited_pause_s": 0.01, "answer_s": 5.0}
        account = {"account_number": ACCOUNT, "places_orders": True, "server": self.there.address}
        return RobinhoodAccess(**{**account, **quick, **terms})

    def with_broker(self, work: Callable[[RobinhoodBroker], Awaitable[T]], **terms: Any) -> T:
        """What `work` says of a broker that lives as long as it."""

        async def worked() -> T:
            def auth() -> httpx2.Auth:
                return kept_auth(self.there.address, KeptLogin(self.place), account="desk")

            broker = RobinhoodBroker(self.access(**terms), auth, CALENDAR, lambda: list(self.recorded))
            try:
                return await asyncio.wait_for(work(broker), WITHIN_S)
            finally:
                await broker.close()

        return asyncio.run(worked())


@pytest.fixture
def there() -> Iterator[StandIn]:
    with StandIn().running() as server:
        yield server


@pytest.fixture
def trader(there: StandIn) -> Trader:
    return Trader(there, InMemory(there.consented()))
