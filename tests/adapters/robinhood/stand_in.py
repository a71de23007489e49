"""A server on this machine that answers as Robinhood's official one is described to: the same tools over the same
protocol, behind the same kind of login. It has met Robinhood's no more than we have.

Orders fill when a test says so. Faults are said beforehand, each for a number of calls of one tool.
"""

import asyncio
import contextlib
import itertools
import json
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import mcp_types as types
import uvicorn
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    ProviderTokenVerifier,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.lowlevel import Server
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl

from adapters.robinhood.official_tools import OFFICIAL

logging.getLogger("uvicorn").addHandler(logging.NullHandler())  # answers that break off are meant to
logging.getLogger("uvicorn").propagate = False

ACCOUNT = "RH-AGENT-1"
LATE_S = 1.5
OTHER_ACCOUNT = "RH-OWN-2"
_CLOSED = ("filled", "cancelled", "rejected", "failed", "voided", "partially_filled_rest_cancelled")


class Login:
    """Who may come in. Every person consents."""

    def __init__(self) -> None:
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.access: dict[str, AccessToken] = {}
        self.refresh: dict[str, RefreshToken] = {}
        self.consents = 0
        self.renewals = 0
        self.lifetime_s = 3600

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        assert client_info.client_id is not None
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        self.consents += 1
        code = AuthorizationCode(
            code=secrets.token_urlsafe(24),
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            client_id=client.client_id or "",
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        return self._tokens(client, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        self.renewals += 1
        del self.refresh[refresh_token.token]  # each is good once
        return self._tokens(client, scopes, refresh_token.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.forget()

    def forget(self) -> None:
        """Every login is taken back."""
        self.access.clear()
        self.refresh.clear()

    def _tokens(
        self, client: OAuthClientInformationFull, scopes: list[str], resource: str | None
    ) -> OAuthToken:
        access, refresh = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        who = client.client_id or ""
        self.access[access] = AccessToken(token=access, client_id=who, scopes=scopes, resource=resource)
        self.refresh[refresh] = RefreshToken(token=refresh, client_id=who, scopes=scopes, resource=resource)
        return OAuthToken(
            access_token=access, refresh_token=refresh, expires_in=self.lifetime_s, scope=" ".join(scopes)
        )


@dataclass
class Fault:
    """What goes wrong with a tool, and how often.

    late: it is done, and told long after. lost: it is done, and the connection breaks. unsent: the connection breaks
    before. says: it answers that it did not. limited: the same, for being asked too often. strange: the answer has
    another shape than the tool's.
    """

    tool: str
    kind: str
    count: int = 1
    says: str = ""


@dataclass
class Desk:
    """Accounts, orders and positions, as the tools tell them."""

    accounts: list[dict[str, Any]] = field(default_factory=list)
    cash: Decimal = Decimal(10_000)
    price: Decimal = Decimal("100.00")
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_reference: dict[str, str] = field(default_factory=dict)
    held: dict[str, Decimal] = field(default_factory=dict)
    page_size: int = 50
    alert: str | None = None
    left_out: set[str] = field(default_factory=set)  # symbols of which nothing is told, one way or the other
    first_state: str = "confirmed"
    fills_at_once: bool = False  # orders at the market
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def called(self, tool: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.calls if name == tool]

    # --- What a test does -------------------------------------------------------------------------------------

    def place(self, by: str = "agentic", **asked: str) -> dict[str, Any]:
        """An order that came by another way, or by another program."""
        return self._new({"side": "buy", "type": "market", "symbol": "AAPL"} | asked, by)

    def fill(self, number: str, quantity: str, price: str | None = None) -> None:
        order = self.orders[number]
        shares, at = Decimal(quantity), self._now()
        done = Decimal(order["cumulative_quantity"]) + shares
        order["executions"].append(
            {
                "id": _id(f"fill {number} {len(order['executions'])}"),
                "price": price or f"{self.price:f}",
                "quantity": quantity,
                "timestamp": at,
                "fees": "0.010000",
            }
        )
        sign = 1 if order["side"] == "buy" else -1
        self.held[order["symbol"]] = self.held.get(order["symbol"], Decimal(0)) + sign * shares
        order["cumulative_quantity"] = f"{done:f}"
        order["average_price"] = price or f"{self.price:f}"
        whole = done == Decimal(order["quantity"])
        order |= {"state": "filled" if whole else "partially_filled", "last_transaction_at": at}

    def end(self, number: str, state: str) -> None:
        self.orders[number] |= {"state": state, "last_transaction_at": self._now()}

    # --- The tools --------------------------------------------------------------------------------------------

    def get_accounts(self) -> dict[str, Any]:
        return {"accounts": self.accounts}

    def get_portfolio(self, account_number: str) -> dict[str, Any]:
        self._account(account_number)
        shares = sum((quantity * self.price for quantity in self.held.values()), Decimal(0))
        zero = "options futures event_contracts crypto mutual_funds fixed_income"
        return {
            **{f"{name}_value": "0.00" for name in zero.split()},
            "equity_value": f"{shares:f}",
            "total_value": f"{self.cash + shares:f}",
            "cash": f"{self.cash:f}",
            "pending_deposits": "0.00",
            "currency": "USD",
            "buying_power": {
                "buying_power": f"{self.cash:f}",
                "unleveraged_buying_power": f"{self.cash:f}",
                "display_currency": "USD",
            },
        }

    def get_equity_positions(self, account_number: str, cursor: str = "") -> dict[str, Any]:
        self._account(account_number)
        zero = dict.fromkeys(_HOLDS, "0.000000")
        return self._page(
            "positions",
            [
                zero
                | {
                    "symbol": symbol,
                    "quantity": f"{quantity:f}",
                    "shares_available_for_sells": f"{quantity:f}",
                    "average_buy_price": f"{self.price:f}",
                    "type": "long" if quantity else "empty",
                }
                for symbol, quantity in sorted(self.held.items())
            ],
            cursor,
        )

    def get_equity_orders(
        self,
        account_number: str,
        order_id: str = "",
        state: str = "",
        symbol: str = "",
        created_at_gte: str = "",
        placed_agent: str = "",
        cursor: str = "",
    ) -> dict[str, Any]:
        self._account(account_number)
        since = datetime.fromisoformat(created_at_gte) if created_at_gte else None
        found = [
            order
            for order in reversed(self.orders.values())
            if (not order_id or order["id"] == order_id)
            and (not state or order["state"] == state)
            and (not symbol or order["symbol"] == symbol)
            and (not placed_agent or order["placed_agent"] == placed_agent)
            and (since is None or datetime.fromisoformat(order["created_at"]) >= since)
        ]
        return self._page("orders", found, cursor)

    def get_equity_tradability(self, account_number: str, symbols: list[str]) -> dict[str, Any]:
        self._account(account_number)
        assert len(symbols) <= 10, "ten at a time, says the tool"
        symbols = [each for each in symbols if each not in self.left_out]
        known = [each for each in symbols if each != "NOSUCH"]
        return {
            "results": [
                {
                    "symbol": each,
                    "state": "active",
                    "tradeable": each != "HALT",
                    "fractional_tradability": "tradable",
                    "extended_hours_fractional_tradability": False,
                    "account_type_tradabilities": [
                        {"account_type": "individual", "account_type_tradability": "tradable"}
                    ],
                }
                for each in known
            ],
            "not_found": [each for each in symbols if each not in known],
        }

    def review_equity_order(self, account_number: str, **asked: Any) -> dict[str, Any]:
        self._may_trade(account_number)
        self._check(asked)
        details = {"alert_type": self.alert, f"{str(self.alert).lower()}_alert_details": {"needs": "5.00"}}
        price = f"{self.price:f}"
        return {
            **{name: asked[name] for name in ("symbol", "side", "type")},
            **{name: asked[name] for name in ("quantity", "dollar_amount") if name in asked},
            "order_checks": {} if self.alert is None else details,
            "quote_data": {
                "symbol": asked["symbol"],
                **dict.fromkeys(("last_trade_price", "bid_price", "ask_price", "previous_close"), price),
                "adjusted_previous_close": price,
                **{f"venue_{name}_time": self._now() for name in ("last_trade", "bid", "ask")},
                "last_non_reg_trade_price": None,
                "venue_last_non_reg_trade_time": None,
                "previous_close_date": None,
                "has_traded": True,
                "state": "active",
            },
            "market_data_disclosure": "",
        }

    def place_equity_order(self, account_number: str, ref_id: str = "", **asked: Any) -> dict[str, Any]:
        self._may_trade(account_number)
        self._check(asked)
        number = self.by_reference.get(ref_id)
        order = self.orders[number] if number else self._new(asked, "agentic")
        if ref_id:
            self.by_reference[ref_id] = order["id"]
        return {"order": order}

    def cancel_equity_order(self, account_number: str, order_id: str) -> dict[str, Any]:
        self._may_trade(account_number)
        order = self.orders.get(order_id)
        if order is None or order["state"] in _CLOSED:
            raise Declined("Order cannot be cancelled at this time.")
        part = Decimal(order["cumulative_quantity"]) > 0
        self.end(order_id, "partially_filled_rest_cancelled" if part else "cancelled")
        return {"accepted": True}

    # ----------------------------------------------------------------------------------------------------------

    def _now(self) -> str:
        return self.clock().isoformat().replace("+00:00", "Z")

    def _new(self, asked: dict[str, Any], by: str) -> dict[str, Any]:
        kind, trigger = {
            "market": ("market", "immediate"),
            "limit": ("limit", "immediate"),
            "stop_market": ("market", "stop"),
            "stop_limit": ("limit", "stop"),
        }[asked["type"]]
        number, dollars = _id(f"order {next(self._numbers)}"), asked.get("dollar_amount")
        order = {
            "id": number,
            "instrument_id": _id(asked["symbol"]),
            **{name: asked[name] for name in ("symbol", "side")},
            "type": kind,
            "trigger": trigger,
            "state": self.first_state,
            "quantity": asked.get("quantity") or f"{Decimal(dollars or 1) / self.price:.6f}",
            "cumulative_quantity": "0.000000",
            "price": asked.get("limit_price") or asked.get("stop_price") or f"{self.price:f}",
            "stop_price": asked.get("stop_price"),
            "average_price": None,
            "fees": "0.000000",
            "dollar_based_amount": {"amount": dollars, "currency_code": "USD"} if dollars else None,
            "time_in_force": asked.get("time_in_force", "gfd"),
            "market_hours": asked.get("market_hours", "regular_hours"),
            "placed_agent": by,
            "created_at": self._now(),
            "last_transaction_at": None,
            "executions": [],
        }
        self.orders[number] = order
        if self.fills_at_once and asked["type"] == "market":
            self.fill(number, order["quantity"])
        return order

    def _check(self, asked: dict[str, Any]) -> None:
        assert ("quantity" in asked) != ("dollar_amount" in asked), "exactly one of the two"
        if Decimal(asked.get("quantity", 1)) * self.price > 100 * self.cash:
            raise Declined("Not enough buying power.")
        if asked["side"] == "sell" and Decimal(asked["quantity"]) > self.held.get(
            asked["symbol"], Decimal(0)
        ):
            raise Declined("Not enough shares to sell.")

    def _account(self, number: str) -> dict[str, Any]:
        for account in self.accounts:
            if account["account_number"] == number:
                return account
        raise Declined("unable to fetch account: rpc error: code = InvalidArgument desc = no such account")

    def _may_trade(self, number: str) -> None:
        if not self._account(number)["agentic_allowed"]:
            raise Declined("This account is not enabled for agentic trading.")

    def _page(self, name: str, rows: list[Any], cursor: str) -> dict[str, Any]:
        begin = int(cursor or 0)
        end = begin + self.page_size
        following = f"https://example.invalid/{name}/?cursor={end}" if end < len(rows) else ""
        return {name: rows[begin:end], "next": following}


class Declined(Exception):
    """The tool says that it did not do it."""


_HOLDS = (
    "intraday_quantity",
    "shares_held_for_sells",
    "shares_held_for_stock_grants",
    "shares_held_for_options_events",
    "shares_held_for_asset_transfer",
    "shares_pending_from_options_events",
)


def account(number: str, *, agentic: bool) -> dict[str, Any]:
    return {
        "account_number": number,
        "rhs_account_number": "1",
        "type": "limited_margin" if agentic else "margin",
        "brokerage_account_type": "individual",
        "is_default": not agentic,
        "agentic_allowed": agentic,
        "option_level": "",
        "state": "active",
        "deactivated": False,
        "permanently_deactivated": False,
    }


class StandIn:
    """The server, and the hand on its orders, its login and its faults."""

    def __init__(self) -> None:
        self.desk = Desk(accounts=[account(ACCOUNT, agentic=True), account(OTHER_ACCOUNT, agentic=False)])
        self.login = Login()
        self.tools = dict(OFFICIAL)
        self.faults: list[Fault] = []
        self.fired: list[str] = []
        self.is_modern = False  # users of the real one saw the protocol of 2025-06-18
        self._breaks = self._forgets = False
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(64)
        self.origin = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.address = f"{self.origin}/mcp/trading"

    def fault(self, tool: str, kind: str, **terms: Any) -> None:
        self.faults.append(Fault(tool=tool, kind=kind, **terms))

    def forget_sessions(self) -> None:
        """As after a restart of the server: whoever was connected is not known any more."""
        self._forgets = True

    def consented(self) -> dict[str, Any]:
        """A login as it is kept after a person has consented."""
        client = OAuthClientInformationFull.model_validate(
            {"client_id": "magellan", "redirect_uris": ["http://127.0.0.1:9/callback"]}
            | {"token_endpoint_auth_method": "none", "scope": "internal"}
        )
        self.login.clients["magellan"] = client
        tokens = self.login._tokens(client, ["internal"], self.address)
        return {
            "client": client.model_dump(mode="json", exclude_none=True),
            "tokens": tokens.model_dump(mode="json", exclude_none=True),
            "ends_at_s": time.time() + self.login.lifetime_s,
            "endpoints": {
                "issuer": self.origin,
                "authorization_endpoint": f"{self.origin}/authorize",
                "token_endpoint": f"{self.origin}/token",
                "response_types_supported": ["code"],
            },
        }

    @contextlib.contextmanager
    def running(self) -> Iterator["StandIn"]:
        config = uvicorn.Config(
            self._app(), log_config=None, access_log=False, timeout_graceful_shutdown=1, ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[self._socket])), daemon=True
        )
        thread.start()  # a connection waits in the socket's queue until the server takes it
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join(timeout=10)
            self._socket.close()
            assert not thread.is_alive()

    def _app(self) -> Any:
        server: Server[Any] = Server(
            "robinhood-trading", version="stand-in", on_list_tools=self._list, on_call_tool=self._call
        )
        app = server.streamable_http_app(
            streamable_http_path="/mcp/trading",
            json_response=True,
            auth=AuthSettings(
                issuer_url=AnyHttpUrl(self.origin),
                resource_server_url=AnyHttpUrl(self.address),
                validate_token_resource=True,
                required_scopes=["internal"],
                client_registration_options=ClientRegistrationOptions(
                    enabled=True, valid_scopes=["internal"], default_scopes=["internal"]
                ),
            ),
            auth_server_provider=self.login,
            token_verifier=ProviderTokenVerifier(self.login),
        )
        return self._wire(app)

    def _wire(self, app: Any) -> Any:
        """What breaks a connection stands before everything else."""

        async def wire(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http" or scope["path"] != "/mcp/trading" or scope["method"] != "POST":
                await app(scope, receive, send)
                return
            asked = await receive()
            if not self.is_modern and b'"server/discover"' in asked["body"]:
                error = {"code": -32601, "message": "Method not found"}
                await _answer(
                    send, 200, {"jsonrpc": "2.0", "id": json.loads(asked["body"])["id"], "error": error}
                )
                return
            if self._forgets and b"mcp-session-id" in dict(scope["headers"]):
                self._forgets = False
                await _answer(send, 404, None)
                return
            told: list[Any] = []

            async def again() -> Any:
                nonlocal asked
                message, asked = asked, None
                return message if message is not None else await receive()

            async def held(message: Any) -> None:
                told.append(message)

            await app(scope, again, held)
            if self._breaks:
                self._breaks = False
                headers = [(b"content-type", b"application/json"), (b"content-length", b"9999")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": b"{", "more_body": True})
                return  # the server closes a connection whose answer is not whole
            for message in told:
                await send(message)

        return wire

    async def _list(self, context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(name=name, input_schema=takes, output_schema=tells)
                for name, (takes, tells) in self.tools.items()
            ]
        )

    async def _call(self, context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool, arguments = params.name, dict(params.arguments or {})
        self.desk.calls.append((tool, arguments))
        fault = next((each for each in self.faults if each.tool == tool and each.count > 0), None)
        if fault is not None:
            fault.count -= 1
            self.fired.append(fault.kind)
        match fault:
            case Fault(kind="limited"):
                return _declined("RATE_LIMITED: too many requests")
            case Fault(kind="says", says=says):
                return _declined(says)
            case Fault(kind="unsent"):
                self._breaks = True
                return _declined("")
            case Fault(kind="strange"):
                return _told({"nonsense": True})
        try:
            data = getattr(self.desk, tool)(**arguments)
        except Declined as declined:
            return _declined(str(declined))
        if fault is not None and fault.kind == "late":
            await asyncio.sleep(LATE_S)
        if fault is not None and fault.kind == "lost":
            self._breaks = True
        return _told(data)


async def _answer(send: Any, status: int, body: Any) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _told(data: dict[str, Any]) -> types.CallToolResult:
    return types.CallToolResult(content=[], structured_content={"data": data, "guide": "for people"})


def _declined(why: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=why)], is_error=True)


def _id(of: str) -> str:
    return str(uuid5(NAMESPACE_URL, of))
