"""Questions to Robinhood's server: asked again where that can help, page by page where there are pages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from magellan.adapters.robinhood.access import RobinhoodAccess
from magellan.adapters.robinhood.call_budget import Urgency
from magellan.adapters.robinhood.connection import Connection, Declined, Told
from magellan.adapters.robinhood.order_json import ToldOrder, order_of
from magellan.adapters.robinhood.told_values import RobinhoodUnreadable, listed
from magellan.errors import AskOperator, FixInput, TryAgain

_PAGES_MAX: Final = 200
_SYMBOLS_MAX: Final = 10  # of one question about tradability


class RobinhoodSilent(TryAgain):
    """No answer that can be read came from Robinhood, or it asks us to come back later."""


class Questions:
    """What can be asked about one account. Everything here only reads."""

    def __init__(self, access: RobinhoodAccess, connection: Connection) -> None:
        self._access = access
        self._connection = connection

    async def account(self) -> Mapping[str, Any]:
        """The account among those that the login shows. Raises FixInput where it is not there."""
        number = self._access.account_number
        told = listed(await self._ask("get_accounts", {}), "accounts")
        for each in told:
            if isinstance(each, dict) and each.get("account_number") == number:
                return each
        raise FixInput(
            f"this login shows {len(told)} accounts at Robinhood, and none of them is {number}",
            kept="nothing was sent",
            next_step="correct the account's number in magellan.toml, or log in as whoever has that account",
        )

    async def portfolio(self) -> Mapping[str, Any]:
        return await self._ask("get_portfolio", self._of_account())

    async def positions(self) -> list[Any]:
        return await self._pages("get_equity_positions", self._of_account(), "positions")

    async def tradability(self, symbols: tuple[str, ...]) -> tuple[list[Any], frozenset[str]]:
        """What is told of symbols, and which of them Robinhood says it does not find."""
        found: list[Any] = []
        not_found: set[str] = set()
        for at in range(0, len(symbols), _SYMBOLS_MAX):
            asked = {**self._of_account(), "symbols": list(symbols[at : at + _SYMBOLS_MAX])}
            told = await self._ask("get_equity_tradability", asked)
            found += listed(told, "results")
            not_found.update(map(str, listed(told, "not_found")))
        return found, frozenset(not_found)

    async def orders(
        self, *, urgency: Urgency = Urgency.QUESTION, since: datetime | None = None, **filters: str
    ) -> list[ToldOrder]:
        """Orders, oldest first. since: created then or later. filters: as the tool names them."""
        asked: dict[str, Any] = {**self._of_account(), **filters}
        if since is not None:
            asked["created_at_gte"] = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
        told = await self._pages("get_equity_orders", asked, "orders", urgency)
        found = {
            order.id: order for order in map(order_of, told)
        }  # a page may begin where the one before ended
        return sorted(found.values(), key=lambda order: (order.created_at, order.id))

    def _of_account(self) -> dict[str, Any]:
        return {"account_number": self._access.account_number}

    async def _pages(
        self, tool: str, asked: dict[str, Any], name: str, urgency: Urgency = Urgency.QUESTION
    ) -> list[Any]:
        found: list[Any] = []
        cursors: set[str] = set()
        page = asked
        for _ in range(_PAGES_MAX):
            data = await self._ask(tool, page, urgency)
            found += listed(data, name)
            cursor = _cursor(data.get("next"))
            if cursor is None:
                return found
            if cursor in cursors:
                break
            cursors.add(cursor)
            page = {**asked, "cursor": cursor}
        raise RobinhoodUnreadable(
            f"Robinhood's {tool} has pages without an end", kept="nothing was taken from it"
        )

    async def _ask(
        self, tool: str, arguments: Mapping[str, Any], urgency: Urgency = Urgency.QUESTION
    ) -> Mapping[str, Any]:
        pause_s, why = self._access.pause_s, ""
        for attempt in range(self._access.attempts):
            if attempt:
                await asyncio.sleep(pause_s)
                pause_s *= 2
            match await self._connection.call(tool, arguments, urgency):
                case Told(data=data):
                    return data
                case Declined() as declined if declined.rate_limited:
                    why = "it is asked too often"
                    pause_s = max(pause_s, self._access.limited_pause_s)
                case Declined(message=message) as declined if declined.is_certain:
                    raise FixInput(
                        f"Robinhood declines {tool}: {message}",
                        kept="nothing was changed there",
                        next_step="check the account's number in magellan.toml, and what the login may see",
                    )
                case Declined(message=message):
                    why = message
                case answer:
                    why = answer.why
        raise RobinhoodSilent(
            f"Robinhood did not answer {tool} in {self._access.attempts} attempts: {why}",
            kept="nothing was changed there",
            next_step="check the network, and whether Robinhood reports a disturbance",
        )


def must_take_orders(account: Mapping[str, Any]) -> None:
    """Refuse an account in which this login may not trade.

    Raises: AskOperator, since only a person can change that, and only at Robinhood.
    """
    if not account.get("agentic_allowed"):
        raise AskOperator(
            "Robinhood lets programs read this account, and not trade it: it is not an agentic one",
            kept="nothing was sent",
            next_step="open an agentic account there and name its number; `magellan status` looks at this one",
        )
    if account.get("state") != "active" or account.get("deactivated"):
        raise AskOperator(
            f"the account is {account.get('state')} at Robinhood, and does not trade",
            kept="nothing was sent",
            next_step="ask Robinhood why",
        )


def _cursor(following: Any) -> str | None:
    """The cursor in the address of the next page; None: there is no next page."""
    if not following:
        return None
    found = parse_qs(urlsplit(str(following)).query).get("cursor")
    return found[0] if found else str(following)
