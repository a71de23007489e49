"""The fault plan: every kind of fault, its parameters, and what triggers it.

A kind is a class below, its docstring is its entry in docs/reference/faults.md, and its `seam` says where in the
exchange it takes hold. Adding a kind means adding a class and carrying it out at that seam.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator


class Seam(Enum):
    """Where a fault takes hold."""

    # Asked about a dozen times for every order; an enum's own hash is a call of Python.
    __hash__ = object.__hash__

    ARRIVAL = "before the request is carried out"
    ANSWER = "after the request was carried out"
    ACCEPTED = "when an order was accepted"
    EVENT = "on a trade update, for each connection that gets it"
    DATA = "on a market data message, for each connection that gets it"
    UPGRADE = "when a client opens a WebSocket"
    SEND = "on a WebSocket, after so many messages"
    INSTANT = "at an instant of exchange time"
    QUOTES = "on every quote that is shown"
    CLOCK = "on every time that is told"


_OF_A_REQUEST = frozenset({"route", "key_id", "symbol", "side", "order_id", "client_order_id"})
# The patterns that an occasion has something for; any other would keep a fault from ever firing. What happens at an
# instant takes none.
PATTERNS: Mapping[Seam, frozenset[str]] = {
    Seam.ARRIVAL: _OF_A_REQUEST,
    Seam.ANSWER: _OF_A_REQUEST,
    Seam.ACCEPTED: _OF_A_REQUEST,
    Seam.EVENT: _OF_A_REQUEST - {"route"} | {"event", "stream"},
    Seam.DATA: frozenset({"key_id", "symbol", "event", "stream"}),
    Seam.UPGRADE: frozenset({"route", "key_id", "stream"}),
    Seam.SEND: frozenset({"key_id", "stream"}),
    Seam.QUOTES: frozenset({"symbol"}),
    Seam.CLOCK: frozenset(),
}


class _Strict(BaseModel):
    # Built when a plan is read: most exchanges are started without one, and should be there at once.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, allow_inf_nan=False)


SECONDS_MAX = 1_000_000_000
# More seconds than this lie beyond every market that is served, and beyond what a time in nanoseconds can hold.
Seconds = Annotated[float, Field(le=SECONDS_MAX)]


class When(_Strict):
    """What triggers a fault. All that is given must hold; an occasion that matches the patterns is counted.

    Patterns are shell patterns (`*`, `?`, `[ab]`), and match whole words.
    """

    nth: int | tuple[int, ...] | None = Field(
        None, description="on the nth matching occasion, from 1; or a list"
    )
    every: int | None = Field(None, ge=1, description="on every nth matching occasion")
    probability: float | None = Field(None, gt=0, le=1, description="by chance, seeded")
    symbol: str | None = Field(None, description="pattern of the symbol")
    side: Literal["buy", "sell"] | None = Field(None, description="side of the order")
    order_id: str | None = Field(None, description="pattern of the order's id")
    client_order_id: str | None = Field(None, description="pattern of the client's order id")
    route: str | None = Field(
        None,
        pattern=r"^(\*|[A-Z]+) /\S*$",
        description="method and path pattern, for example `POST /v2/orders` or `* /v2/orders/*`",
    )
    key_id: str | None = Field(None, description="pattern of the client's key id")
    event: str | None = Field(None, description="pattern of a trade update's event, for example `*fill`")
    stream: Literal["trades", "data"] | None = Field(None, description="which WebSocket; both when not given")
    from_at: AwareDatetime | None = Field(None, description="not before this exchange time")
    until_at: AwareDatetime | None = Field(None, description="not from this exchange time on")
    after_s: Seconds | None = Field(
        None, ge=0, description="not before so many seconds of exchange time from the start"
    )
    before_s: Seconds | None = Field(None, ge=0, description="not from so many seconds of exchange time on")

    @model_validator(mode="after")
    def _must_be_possible(self) -> Self:
        positions = self.nth if isinstance(self.nth, tuple) else (self.nth,) if self.nth is not None else ()
        if any(position < 1 for position in positions):
            raise ValueError("nth counts from 1")
        if sum(each is not None for each in (self.nth, self.every, self.probability)) > 1:
            raise ValueError("give one of nth, every and probability")
        if self.from_at and self.until_at and self.from_at >= self.until_at:
            raise ValueError("until_at lies after from_at")
        if self.after_s is not None and self.before_s is not None and self.after_s >= self.before_s:
            raise ValueError("before_s is greater than after_s")
        return self


class FaultTerms(_Strict):
    """What all kinds of faults share."""

    seam: ClassVar[Seam]

    name: str | None = Field(None, description="how the log and the control API call it; default: its kind")
    when: When = Field(
        default_factory=lambda: When(), description="what triggers it; default: every occasion"
    )
    count: int | None = Field(None, ge=1, description="fires at most so often; default: without end")

    @model_validator(mode="after")
    def _must_be_able_to_fire(self) -> Self:
        known = PATTERNS.get(self.seam)
        if known is None:
            return self
        given = {
            name for name in frozenset().union(*PATTERNS.values()) if getattr(self.when, name) is not None
        }
        if never := sorted(given - known):
            raise ValueError(
                f"it takes hold {self.seam.value}, where {', '.join(never)} is not told: it would never fire. "
                f"`when` may have {', '.join(sorted(known)) or 'no pattern'} there"
            )
        return self


# --- REST: before the request is carried out ------------------------------------------------------------------


class RefusedRequest(FaultTerms):
    """The request is not carried out, and answered with an error: 401, 403, 422, 500, 502, 503, 504 or another."""

    seam = Seam.ARRIVAL
    kind: Literal["refused_request"] = "refused_request"
    status: int = Field(500, ge=400, le=599)
    code: int | None = 50010000
    message: str = "internal server error occurred"


class RejectedOrder(FaultTerms):
    """An order is refused at submission with one of Alpaca's reasons; nothing exists at the broker."""

    seam = Seam.ARRIVAL
    kind: Literal["rejected_order"] = "rejected_order"
    reason: Literal[
        "insufficient_buying_power", "not_shortable", "not_fractionable", "inactive_asset", "wash_trade",
        "pattern_day_trading", "trading_suspended", "closing_only", "hard_to_borrow",
    ] = "insufficient_buying_power"  # fmt: skip


class RateLimited(FaultTerms):
    """A burst of HTTP 429: not carried out, code 42910000, with X-RateLimit headers and nothing remaining."""

    seam = Seam.ARRIVAL
    kind: Literal["rate_limited"] = "rate_limited"
    reset_s: Seconds = Field(1.0, ge=0, description="seconds until X-RateLimit-Reset")


class ResetBefore(FaultTerms):
    """The connection is reset before the request is carried out."""

    seam = Seam.ARRIVAL
    kind: Literal["reset_before"] = "reset_before"


class HtmlPage(FaultTerms):
    """A proxy answers with a page in HTML; the request is not carried out."""

    seam = Seam.ARRIVAL
    kind: Literal["html_page"] = "html_page"
    status: int = Field(502, ge=200, le=599)


class CancelRefused(FaultTerms):
    """A cancel is refused with 422 and code 42210000: the order is said to be in a state that allows none."""

    seam = Seam.ARRIVAL
    kind: Literal["cancel_refused"] = "cancel_refused"
    state: str = Field(
        "filled", description='the state that the message names: order is already in "filled" state'
    )


class ReplaceRefused(FaultTerms):
    """A replace is refused with 422 and code 42210000."""

    seam = Seam.ARRIVAL
    kind: Literal["replace_refused"] = "replace_refused"
    message: Literal["cannot replace order in accepted status", "order chain not fully replaced"] = (
        "cannot replace order in accepted status"
    )


class StuckPendingCancel(FaultTerms):
    """A cancel is accepted with 204, the order goes to pending_cancel and stays there; it may still fill."""

    seam = Seam.ARRIVAL
    kind: Literal["stuck_pending_cancel"] = "stuck_pending_cancel"


class FillBeatsCancel(FaultTerms):
    """A cancel is accepted with 204, and yet the order fills: the fill was first."""

    seam = Seam.ARRIVAL
    kind: Literal["fill_beats_cancel"] = "fill_beats_cancel"


class StaleReads(FaultTerms):
    """REST lags behind the stream: reads of orders, positions and account show how things were a while ago."""

    seam = Seam.ARRIVAL
    kind: Literal["stale_reads"] = "stale_reads"
    lag_s: Seconds = Field(2.0, gt=0, description="seconds of exchange time")


# --- REST: after the request was carried out ------------------------------------------------------------------


class LostAnswer(FaultTerms):
    """The request is carried out, then the connection is reset: the client cannot know."""

    seam = Seam.ANSWER
    kind: Literal["lost_answer"] = "lost_answer"


class NoAnswer(FaultTerms):
    """The request is carried out and never answered; the connection stays open until the client gives up."""

    seam = Seam.ANSWER
    kind: Literal["no_answer"] = "no_answer"


class ErrorAfterAccept(FaultTerms):
    """The request is carried out, and answered with 500 or 504 all the same."""

    seam = Seam.ANSWER
    kind: Literal["error_after_accept"] = "error_after_accept"
    status: int = Field(504, ge=400, le=599)


class HtmlAfterAccept(FaultTerms):
    """The request is carried out, and a proxy answers with 502 and a page in HTML."""

    seam = Seam.ANSWER
    kind: Literal["html_after_accept"] = "html_after_accept"


class TruncatedJson(FaultTerms):
    """The answer's JSON ends in the middle, with a length that says it is whole."""

    seam = Seam.ANSWER
    kind: Literal["truncated_json"] = "truncated_json"


class ShortBody(FaultTerms):
    """The connection closes before as many bytes came as the answer's Content-Length promised."""

    seam = Seam.ANSWER
    kind: Literal["short_body"] = "short_body"


class SlowDrip(FaultTerms):
    """The answer comes a few bytes at a time."""

    seam = Seam.ANSWER
    kind: Literal["slow_drip"] = "slow_drip"
    bytes_per_s: float = Field(200.0, ge=0.001)


class LateAnswer(FaultTerms):
    """The request is carried out at once and answered late; its events arrive first."""

    seam = Seam.ANSWER
    kind: Literal["late_answer"] = "late_answer"
    delay_s: Seconds = Field(1.0, gt=0, description="seconds of wall time")


class EventBeforeAnswer(FaultTerms):
    """The trade updates of a request are sent before its answer."""

    seam = Seam.ANSWER
    kind: Literal["event_before_answer"] = "event_before_answer"


class SchemaDrift(FaultTerms):
    """The shape of answers changes: fields disappear, become null, or are added."""

    seam = Seam.ANSWER
    kind: Literal["schema_drift"] = "schema_drift"
    remove: tuple[str, ...] = Field((), description="names of fields, at any depth")
    null: tuple[str, ...] = Field((), description="names of fields, at any depth")
    add: dict[str, Any] = Field(default_factory=dict, description="fields to add to each object at the top")


# --- orders after they were accepted --------------------------------------------------------------------------


class RejectedAfterAccept(FaultTerms):
    """The order is accepted with 200, and rejected by the venue afterwards: event rejected."""

    seam = Seam.ACCEPTED
    kind: Literal["rejected_after_accept"] = "rejected_after_accept"


class PartialFillThenCancel(FaultTerms):
    """Part of the order fills, and the venue cancels the rest."""

    seam = Seam.ACCEPTED
    kind: Literal["partial_fill_then_cancel"] = "partial_fill_then_cancel"
    fraction: float = Field(0.5, gt=0, lt=1, description="of the quantity that fills")


# --- trade updates --------------------------------------------------------------------------------------------


class DuplicateEvent(FaultTerms):
    """A trade update is sent twice, with the same execution id."""

    seam = Seam.EVENT
    kind: Literal["duplicate_event"] = "duplicate_event"
    copies: int = Field(2, ge=2, le=100, description="how often it is sent in all")


class LateEvent(FaultTerms):
    """A trade update arrives late; those after it do not wait."""

    seam = Seam.EVENT
    kind: Literal["late_event"] = "late_event"
    delay_s: Seconds = Field(2.0, gt=0, description="seconds of exchange time")


class ReorderedEvents(FaultTerms):
    """A trade update is held back and sent after the next one of its connection."""

    seam = Seam.EVENT
    kind: Literal["reordered_events"] = "reordered_events"


class LostEvent(FaultTerms):
    """A trade update is never sent."""

    seam = Seam.EVENT
    kind: Literal["lost_event"] = "lost_event"


class ReplayedEvents(FaultTerms):
    """All earlier updates of the order are sent again after this one, with their old execution ids."""

    seam = Seam.EVENT
    kind: Literal["replayed_events"] = "replayed_events"


# --- market data messages -------------------------------------------------------------------------------------


class LostData(FaultTerms):
    """Market data messages are never sent: a gap in the bars."""

    seam = Seam.DATA
    kind: Literal["lost_data"] = "lost_data"


class LateData(FaultTerms):
    """Market data messages arrive late."""

    seam = Seam.DATA
    kind: Literal["late_data"] = "late_data"
    delay_s: Seconds = Field(2.0, gt=0, description="seconds of exchange time")


class DuplicateData(FaultTerms):
    """Market data messages are sent twice."""

    seam = Seam.DATA
    kind: Literal["duplicate_data"] = "duplicate_data"


# --- WebSockets -----------------------------------------------------------------------------------------------


class UpgradeRefused(FaultTerms):
    """The WebSocket upgrade is refused with an HTTP error: 429 as Alpaca does while an old connection lives."""

    seam = Seam.UPGRADE
    kind: Literal["upgrade_refused"] = "upgrade_refused"
    status: int = Field(429, ge=400, le=599)


class OnSend(FaultTerms):
    """What the faults of a connection share: each connection counts its own messages."""

    seam = Seam.SEND
    after_messages: int = Field(
        1, ge=0, description="after so many messages on a connection; 0: from the start"
    )


class Disconnect(OnSend):
    """The WebSocket is closed after every so many messages, with a close code: 1001, 1006 or 1011.

    1006 stands for no close frame at all, since it can never be sent.
    """

    kind: Literal["disconnect"] = "disconnect"
    code: int = Field(1011, ge=1000, le=4999)


class CloseWithoutFrame(OnSend):
    """The connection ends in the middle of a session without a close frame; the client sees 1006."""

    kind: Literal["close_without_frame"] = "close_without_frame"


class MuteStream(OnSend):
    """The WebSocket falls silent, while pings are still answered."""

    kind: Literal["mute_stream"] = "mute_stream"


class HalfOpenStream(OnSend):
    """The WebSocket is dead, yet its connection stays: no message, no answer to pings; reaped after about 90 s."""

    kind: Literal["half_open_stream"] = "half_open_stream"


class BrokenMessage(OnSend):
    """A message ends in the middle: it cannot be parsed."""

    kind: Literal["broken_message"] = "broken_message"


class StreamError(OnSend):
    """An error message is sent, for example 406 connection limit; 407 slow client and 500 also close."""

    kind: Literal["stream_error"] = "stream_error"
    code: Literal[400, 404, 405, 406, 407, 409, 410, 411, 500] = 407


# --- market, quotes, accounts ---------------------------------------------------------------------------------


class AtInstant(FaultTerms):
    """What the faults of the market and of accounts share: they happen once, at their instant."""

    seam = Seam.INSTANT
    at: AwareDatetime | None = Field(None, description="exchange time; this or at_s")
    at_s: Seconds | None = Field(
        None, ge=0, description="seconds of exchange time from the start; this or at"
    )

    @model_validator(mode="after")
    def _must_have_one_instant(self) -> Self:
        if (self.at is None) == (self.at_s is None):
            raise ValueError("give at or at_s")
        if self.when != When():
            raise ValueError("a fault with an instant of its own takes no `when`")
        return self


class HaltedSymbol(AtInstant):
    """Trading in a symbol halts, with a status message; a status message resumes it."""

    kind: Literal["halted_symbol"] = "halted_symbol"
    symbol: str
    reason: str = Field(
        "T1", description="code of the reason: T1 news, LUDP volatility pause, T12 information"
    )
    duration_s: Seconds = Field(300.0, gt=0, description="seconds of exchange time")


class SplitOvernight(AtInstant):
    """A split takes effect: positions change, an activity SPLIT appears, resting orders are repriced or cancelled."""

    kind: Literal["split_overnight"] = "split_overnight"
    symbol: str
    new_shares: int = Field(gt=0)
    old_shares: int = Field(gt=0)


class ExternalOrder(AtInstant):
    """Somebody enters an order by hand in the same account."""

    kind: Literal["external_order"] = "external_order"
    key_id: str = Field("*", description="pattern of the key ids whose accounts get it")
    symbol: str
    side: Literal["buy", "sell"] = "buy"
    qty: Decimal = Field(Decimal(1), gt=0)


class ExternalClose(AtInstant):
    """Somebody closes a position by hand, or the broker does."""

    kind: Literal["external_close"] = "external_close"
    key_id: str = Field("*", description="pattern of the key ids whose accounts are meant")
    symbol: str


class AccountRestricted(AtInstant):
    """The broker restricts the account: trading blocked, or trading suspended by the user."""

    kind: Literal["account_restricted"] = "account_restricted"
    key_id: str = Field("*", description="pattern of the key ids whose accounts are meant")
    restriction: Literal["trading_blocked", "account_blocked", "trade_suspended_by_user"] = "trading_blocked"


class WrongQuote(FaultTerms):
    """Quotes are crossed, empty, stuck at their first value, or missing."""

    seam = Seam.QUOTES
    kind: Literal["wrong_quote"] = "wrong_quote"
    how: Literal["crossed", "zero", "stale", "missing"] = "crossed"


class ClockSkew(FaultTerms):
    """The server's clock is wrong: the Date header and /v2/clock tell another time."""

    seam = Seam.CLOCK
    kind: Literal["clock_skew"] = "clock_skew"
    skew_s: Seconds = Field(30.0, ge=-SECONDS_MAX, description="seconds ahead; negative: behind")


Fault = Annotated[
    RefusedRequest
    | RejectedOrder
    | RateLimited
    | ResetBefore
    | HtmlPage
    | CancelRefused
    | ReplaceRefused
    | StuckPendingCancel
    | FillBeatsCancel
    | StaleReads
    | LostAnswer
    | NoAnswer
    | ErrorAfterAccept
    | HtmlAfterAccept
    | TruncatedJson
    | ShortBody
    | SlowDrip
    | LateAnswer
    | EventBeforeAnswer
    | SchemaDrift
    | RejectedAfterAccept
    | PartialFillThenCancel
    | DuplicateEvent
    | LateEvent
    | ReorderedEvents
    | LostEvent
    | ReplayedEvents
    | LostData
    | LateData
    | DuplicateData
    | UpgradeRefused
    | Disconnect
    | CloseWithoutFrame
    | MuteStream
    | HalfOpenStream
    | BrokenMessage
    | StreamError
    | HaltedSymbol
    | SplitOvernight
    | ExternalOrder
    | ExternalClose
    | AccountRestricted
    | WrongQuote
    | ClockSkew,
    Field(discriminator="kind"),
]


class FaultPlan(_Strict):
    """A plan of faults, as it stands in a file for `magellan exchange --faults`."""

    version: Literal[1] = Field(1, description="of this format")
    seed: int | None = Field(None, description="of the faults' own chance; default: the exchange's seed")
    faults: tuple[Fault, ...] = Field(
        (), description="tried in this order; the first that fires at a seam is it"
    )
