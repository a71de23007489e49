"""Whatever is asked and however time passes: money and shares are conserved, and equal runs are equal byte for byte.

A run is decoded from a string of bytes, some to each step; it shrinks to few and plain steps.
"""

from decimal import Decimal
from typing import Any

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.venue.trading_floor import OPENS_NS, Floor, Prices, bars_of
from magellan.exchange.venue.broker_side import BustTrade, FillNow, SplitNow
from magellan.exchange.venue.terms import AccountTerms, Costs, VenueTerms
from magellan.exchange.venue.wire import Reply
from magellan.trading.timeframe import MINUTE_NS

EXAMPLES = settings().max_examples
STEP_BYTES = 8
SYMBOLS = ("AAPL", "MSFT")
TYPES = ("market", "limit", "stop", "stop_limit", "trailing_stop")
CLASSES = ("simple", "simple", "simple", "bracket", "oco", "oto")
TIFS = ("day", "gtc", "day", "gtc", "ioc", "fok", "opg", "cls")
WAITS_S = (0.0, 0.003, 1.0, 7.0, 31.0, 58.9, 180.0, 3600.0)


def wild_bars(symbol: str, seed: int) -> Any:
    chance = np.random.default_rng(seed)
    sessions: dict[int, list[Prices]] = {}
    close = 100.0
    for session in range(4):
        rows: list[Prices] = []
        for _ in range(390):
            open_ = round(close + chance.normal(0, 0.1), 2)
            close = round(max(20.0, open_ + chance.normal(0, 0.6)), 2)
            high = round(max(open_, close) + abs(chance.normal(0, 0.4)), 2)
            low = round(min(open_, close) - abs(chance.normal(0, 0.4)), 2)
            rows.append((open_, high, low, close))
        sessions[session] = rows
    return bars_of(symbol, sessions, volume=400.0)


BARS = [wild_bars(symbol, seed) for seed, symbol in enumerate(SYMBOLS)]


class Run:
    """A floor, and what was done on it."""

    def __init__(self, seed: int, multiplier: Any) -> None:
        self.floor = Floor(
            BARS,
            terms=VenueTerms(
                costs=Costs(
                    slippage=0.0003, volume_share_max=0.1, commission_per_unit_usd=0.005, impact=0.01
                ),
                partial_fill_probability=0.3,
                latency_jitter_ns=9_000_000,
            ),
            account=AccountTerms(cash_usd=Decimal(20_000), multiplier=multiplier),
            seed=seed,
            now_ns=OPENS_NS[0] - 2 * MINUTE_NS,
        )
        self.log: list[bytes] = []
        self.ids: list[str] = []

    def step(self, code: bytes) -> None:
        what, a, b, c, d, e, f, wait = code
        if what < 140:
            self.take(self.floor.post(**self.order(a, b, c, d, e, f)))
        elif what < 170:
            self.change(self.open_order(a), b, c)
        elif what < 200:
            order_id = self.open_order(a)
            if order_id:
                self.take(self.floor.cancel(order_id))
        elif what < 215:
            self.take(self.floor.call("DELETE", f"/positions/{SYMBOLS[a % 2]}", percentage=1 + b % 100))
        elif what < 225:
            self.take(self.floor.call("DELETE", "/positions", cancel_orders="true" if a % 2 else "false"))
        elif what < 232:
            self.take(self.floor.call("DELETE", "/orders"))
        elif what < 244:
            self.fill_now(self.open_order(a), b)
        elif what < 248:
            self.floor.venue.external(
                self.floor.account_id,
                SplitNow(symbol=SYMBOLS[a % 2], new_shares=1 + b % 3, old_shares=1 + c % 2),
            )
        elif what < 250 and self.ids:
            self.bust(self.ids[a % len(self.ids)])
        self.floor.wait(WAITS_S[wait % len(WAITS_S)])
        events = self.floor.venue.take_events()
        self.log += [
            orjson.dumps([event.event_id, event.at_ns, event.kind, dict(event.body)]) for event in events
        ]

    def order(self, a: int, b: int, c: int, d: int, e: int, f: int) -> dict[str, Any]:
        symbol = SYMBOLS[a % 2]
        price = self.floor.market.price(symbol, self.floor.now_ns) or 100.0
        type_, order_class = TYPES[b % 5], CLASSES[c % 6]
        near = Decimal(str(round(price + (d - 128) / 64, 2)))
        far = Decimal(str(round(price + (e - 128) / 64, 2)))
        return {
            "symbol": symbol,
            "side": "sell" if a & 2 else "buy",
            "type": type_,
            "time_in_force": TIFS[(a >> 2) % 8],
            "order_class": order_class,
            "qty": str(1 + f % 60) if f < 240 else f"{f - 239}.5",
            "limit_price": str(near) if type_ in ("limit", "stop_limit") else None,
            "stop_price": str(far) if type_ in ("stop", "stop_limit") else None,
            "trail_price": "0.5" if type_ == "trailing_stop" else None,
            "extended_hours": True if f == 200 else None,
            "take_profit": {"limit_price": str(near)} if order_class in ("bracket", "oco") else None,
            "stop_loss": {"stop_price": str(far)} if order_class != "simple" else None,
        }

    def open_order(self, at: int) -> str | None:
        found = self.floor.get("/orders", limit=500)
        return str(found[at % len(found)]["id"]) if found else None

    def change(self, order_id: str | None, b: int, c: int) -> None:
        if order_id is None:
            return
        order = self.floor.look(order_id)
        body: dict[str, Any] = {"qty": str(1 + b % 60)} if b % 3 else {}
        for name in ("limit_price", "stop_price"):
            if order[name] is not None and order["type"] != "trailing_stop":
                body[name] = str(Decimal(order[name]) + Decimal(c - 128) / 100)
        if order["type"] == "trailing_stop":
            body["trail"] = "0.7"
        self.take(self.floor.patch(order_id, **body))

    def fill_now(self, order_id: str | None, b: int) -> None:
        if order_id is None:
            return
        order = self.floor.look(order_id)
        left = Decimal(order["qty"]) - Decimal(order["filled_qty"])
        if order["status"] in ("new", "partially_filled", "pending_cancel", "pending_replace"):
            qty = left if b % 2 else min(left, Decimal(1))
            self.floor.venue.external(
                self.floor.account_id, FillNow(order_id=order_id, price=Decimal("99.5"), qty=qty)
            )

    def bust(self, order_id: str) -> None:
        order = self.floor.look(order_id)
        # What a trade taken back leaves may be less than open orders mean to close: their owner has to look.
        others = self.floor.get("/orders", symbols=order["symbol"])
        if Decimal(order["filled_qty"]) and not others and not self.floor.position(order["symbol"]):
            self.floor.venue.external(self.floor.account_id, BustTrade(order_id=order_id))

    def take(self, reply: Reply) -> None:
        assert reply.status in (200, 204, 207, 403, 404, 422), reply
        if reply.status == 200:
            self.ids.append(reply.body["id"])
        self.log.append(orjson.dumps([reply.status, reply.body]))


@settings(max_examples=EXAMPLES)
@given(
    code=st.binary(min_size=STEP_BYTES, max_size=40 * STEP_BYTES),
    seed=st.integers(0, 3),
    multiplier=st.sampled_from((1, 2, 4)),
)
def test_no_sequence_of_requests_breaks_an_invariant(code: bytes, seed: int, multiplier: int) -> None:
    run = Run(seed, multiplier)
    for at in range(0, len(code) - STEP_BYTES + 1, STEP_BYTES):
        run.step(code[at : at + STEP_BYTES])
        assert run.floor.venue.broken_invariants() == []
    events = [orjson.loads(line)[0] for line in run.log if line.startswith(b'["')]
    assert len(set(events)) == len(events)
    assert events == sorted(events)
    assert len(set(run.ids)) == len(run.ids)


@settings(max_examples=max(5, EXAMPLES // 10))
@given(code=st.binary(min_size=STEP_BYTES, max_size=40 * STEP_BYTES), seed=st.integers(0, 3))
def test_the_same_requests_at_the_same_times_give_the_same_bytes(code: bytes, seed: int) -> None:
    logs = []
    for _ in range(2):
        run = Run(seed, 4)
        for at in range(0, len(code) - STEP_BYTES + 1, STEP_BYTES):
            run.step(code[at : at + STEP_BYTES])
        logs.append(b"\n".join(run.log))
    assert logs[0] == logs[1]


def test_another_seed_gives_other_ids() -> None:
    one, other = Floor(seed=1).order(), Floor(seed=2).order()
    assert one["id"] != other["id"]
