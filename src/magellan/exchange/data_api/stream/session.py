"""One connection to a data stream: authentication, subscriptions and errors, without a socket.

The server hands in what the client sent and sends what comes back. What may happen in which state:

    state           message        becomes         answer
    connected       auth, good     authenticated   success "authenticated"
    connected       auth, bad      closed          402
    connected       auth, no right closed          409
    connected       10 s pass      closed          404
    connected       anything else  connected       401
    authenticated   auth           authenticated   403
    authenticated   subscribe      authenticated   all subscriptions; 405 or 410 when refused
    authenticated   unsubscribe    authenticated   all subscriptions
    any             no sense       same            400

Source: codes and texts documented. That 402, 404 and 409 end the connection is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from magellan.exchange.data_api.entitlement import Entitlement
from magellan.exchange.data_api.stream.frame import Encoding, decode, encode
from magellan.exchange.data_api.stream.message import Message
from magellan.exchange.data_api.stream.stream_kind import CHANNELS, OPTIONS, StreamKind
from magellan.trading.timeframe import SECOND_NS

AUTHENTICATE_WITHIN_NS = 10 * SECOND_NS

STREAM_ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    411: "insufficient scope",
    500: "internal error",
}


class SessionState(Enum):
    """Where a connection stands."""

    CONNECTED = "connected"
    AUTHENTICATED = "authenticated"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server does next: send these frames, then close if told so."""

    frames: tuple[bytes, ...] = ()
    close: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client authenticates with."""

    key: str
    secret: str = field(repr=False)


Authenticate = Callable[[Credentials], Entitlement | None]
"""The entitlement of a key pair; None for a wrong one."""


class StreamSession:
    """One client's connection to one stream."""

    def __init__(
        self,
        kind: StreamKind,
        encoding: Encoding,
        authenticate: Authenticate,
        opened_ns: int,
        *,
        admits: Callable[[Entitlement], bool] = lambda entitlement: True,
    ) -> None:
        """opened_ns: when the client connected. admits: whether an entitlement includes this feed."""
        self.kind = kind
        self.encoding = encoding
        self.state = SessionState.CONNECTED
        self.key: str | None = None  # of the client, once it is authenticated
        self._authenticate = authenticate
        self._admits = admits
        self._opened_ns = opened_ns
        self._entitlement: Entitlement | None = None
        # Dictionaries for their order: subscriptions are acknowledged in the order in which they came.
        self._subscribed: dict[str, dict[str, None]] = {channel: {} for channel in kind.channels}

    def greet(self) -> Answer:
        """The first thing that a client hears."""
        return self._say({"T": "success", "msg": "connected"})

    def receive(self, data: str | bytes) -> Answer:
        """Answer one whole message of the client (fragments put together by the caller)."""
        try:
            asked = decode(data)
        except ValueError:
            return self._error(400)
        if not isinstance(asked, Mapping):
            return self._error(400)
        match asked.get("action"):
            case "auth":
                return self._auth(asked.get("key"), asked.get("secret"))
            case "subscribe" | "unsubscribe" as action:
                if self.state is not SessionState.AUTHENTICATED:
                    return self._error(401)
                return self._change(asked, add=action == "subscribe")
            case _:
                return self._error(401 if self.state is SessionState.CONNECTED else 400)

    def authenticate(self, credentials: Credentials) -> Answer:
        """Authenticate a client by the headers of its request, or by its message."""
        if self.state is SessionState.AUTHENTICATED:
            return self._error(403)
        entitlement = self._authenticate(credentials)
        if entitlement is None:
            return self._end(402)
        if not self._admits(entitlement):
            return self._end(409)
        self.state, self.key, self._entitlement = SessionState.AUTHENTICATED, credentials.key, entitlement
        return self._say({"T": "success", "msg": "authenticated"})

    def passed(self, now_ns: int) -> Answer:
        """What the passing of time brings: a client that does not authenticate within ten seconds is let go."""
        late = now_ns - self._opened_ns > AUTHENTICATE_WITHIN_NS
        return self._end(404) if late and self.state is SessionState.CONNECTED else Answer()

    def refuse(self, code: int) -> Answer:
        """End the connection with an error: 406 for one too many, 407 for a client that reads too slowly."""
        return self._end(code)

    def subscriptions(self, channel: str) -> Sequence[str]:
        """Symbols that a channel is subscribed for; "*" is all of them."""
        return tuple(self._subscribed.get("trades" if channel in self.kind.implied else channel, ()))

    def wants(self, channel: str, symbol: str) -> bool:
        """Whether a message of a channel about a symbol goes to this client."""
        listened = self._subscribed.get("trades" if channel in self.kind.implied else channel, {})
        return symbol in listened or "*" in listened

    def select(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Those of the messages that go to this client; the very same sequence when all of them do."""
        chosen = [message for message in messages if self.wants(message.channel, message.symbol)]
        return messages if len(chosen) == len(messages) else chosen

    def _auth(self, key: object, secret: object) -> Answer:
        if not isinstance(key, str) or not isinstance(secret, str):
            return self._error(400)
        return self.authenticate(Credentials(key=key, secret=secret))

    def _change(self, asked: Mapping[str, Any], *, add: bool) -> Answer:
        named = {name: symbols for name, symbols in asked.items() if name != "action"}
        for name, symbols in named.items():
            if name not in CHANNELS:
                return self._error(400)
            if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
                return self._error(400)
        wanted = {channel: dict(symbols) for channel, symbols in self._subscribed.items()}
        for name, symbols in named.items():
            if name in self.kind.implied:
                continue  # they follow trades, whatever a client says about them
            if name not in wanted:
                return self._error(410)
            for symbol in symbols:
                if add:
                    wanted[name][symbol] = None
                else:
                    wanted[name].pop(symbol, None)
        if add and self._too_many(wanted):
            return self._error(405)
        self._subscribed = wanted
        return self._say(self._acknowledgement())

    def _too_many(self, wanted: Mapping[str, Mapping[str, None]]) -> bool:
        assert self._entitlement is not None, "only an authenticated client subscribes"
        if self.kind is OPTIONS:
            quotes, most = wanted["quotes"], self._entitlement.option_quotes_max
            # Quotes of every contract in the country are more than a stream can carry: no plan has them.
            return "*" in quotes or (most is not None and len(quotes) > most)
        most = self._entitlement.stream_symbols_max
        counted = [wanted.get(channel, {}) for channel in ("trades", "quotes")]
        if most is None:
            return False
        return sum(map(len, counted)) > most or any("*" in symbols for symbols in counted)

    def _acknowledgement(self) -> dict[str, Any]:
        lists = {channel: list(symbols) for channel, symbols in self._subscribed.items()}
        implied = {channel: list(self._subscribed["trades"]) for channel in self.kind.implied}
        return {"T": "subscription"} | lists | implied

    def _say(self, value: Mapping[str, Any]) -> Answer:
        return Answer(frames=(encode([value], self.encoding),))

    def _error(self, code: int) -> Answer:
        return self._say({"T": "error", "code": code, "msg": STREAM_ERRORS[code]})

    def _end(self, code: int) -> Answer:
        self.state = SessionState.CLOSED
        return Answer(frames=self._error(code).frames, close=True)
