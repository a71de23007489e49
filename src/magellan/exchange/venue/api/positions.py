"""/positions: what is held, closing it, and exercising options."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import Any

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.market.asset import AssetClass
from magellan.exchange.venue import options
from magellan.exchange.venue.account import Position
from magellan.exchange.venue.api.call import Answer, Call, ok
from magellan.exchange.venue.api.orders import order_as_submitted
from magellan.exchange.venue.booked_price import marked
from magellan.exchange.venue.held_shares import available
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.order_end import end
from magellan.exchange.venue.order_entry import find_asset, submit
from magellan.exchange.venue.order_states import Happening
from magellan.exchange.venue.wire import Reply
from magellan.exchange.venue.wire_format import NANO, ZERO, is_true, money_text, number, text

_RATIO = Decimal("0.0000000000000001")


def position_body(call: Call, position: Position) -> dict[str, Any]:
    """A position as Alpaca sends it."""
    book, asset = call.book, position.asset
    price = book.position_price(position)
    close = book.market.previous_close(asset.symbol, book.now_ns)
    last_day = price if close is None else marked(close)
    value = position.value_usd(price)
    profit = value - position.cost_usd
    # What was held at the last close has earned since then; what was traded today, since it was traded.
    overnight = position.qty_at_close * position.point_value * last_day
    today = value - overnight - position.today_usd
    basis_today = abs(overnight) + abs(position.today_usd)
    own = book.working.get(asset.symbol, {})
    return {
        "asset_id": str(asset.id),
        "symbol": asset.symbol.replace("/", "") if asset.asset_class is AssetClass.CRYPTO else asset.symbol,
        "exchange": "" if asset.asset_class is AssetClass.US_OPTION else asset.exchange,
        "asset_class": asset.asset_class.value,
        "asset_marginable": asset.marginable,
        "qty": text(position.qty),
        "avg_entry_price": text(position.average_price),
        "side": "long" if position.qty > 0 else "short",
        "market_value": money_text(value),
        "cost_basis": money_text(position.cost_usd),
        "unrealized_pl": money_text(profit),
        "unrealized_plpc": _ratio(profit, abs(position.cost_usd)),
        "unrealized_intraday_pl": money_text(today),
        "unrealized_intraday_plpc": _ratio(today, basis_today),
        "current_price": text(price),
        "lastday_price": text(last_day),
        "change_today": _ratio(price - last_day, last_day),
        "qty_available": text(available(call.account, asset.symbol, own)),
    }


def _ratio(part: Decimal, whole: Decimal) -> str:
    return text((part / whole).quantize(_RATIO)) if whole else "0"


def list_positions(call: Call) -> Answer:
    """Every position, by symbol."""
    return ok([position_body(call, each) for _, each in sorted(call.account.positions.items())])


def find_position(call: Call, symbol_or_id: str) -> Position | Refusal:
    """The position in that asset."""
    asset = find_asset(call.book, symbol_or_id)
    if asset is None:
        return refusal("asset_not_found", symbol=symbol_or_id)
    return call.account.positions.get(asset.symbol) or refusal("position_not_found")


def get_position(call: Call, symbol_or_id: str) -> Answer:
    """One position by symbol or id."""
    position = find_position(call, symbol_or_id)
    return position if isinstance(position, Refusal) else ok(position_body(call, position))


def close_position(call: Call, symbol_or_id: str) -> Answer:
    """Sell or cover all of a position, a quantity, or a percentage of it, with a market order."""
    position = find_position(call, symbol_or_id)
    if isinstance(position, Refusal):
        return position
    qty = _qty_to_close(call, position)
    if isinstance(qty, Refusal):
        return qty
    answer = _close(call, position, qty)
    return answer if isinstance(answer, Refusal) else ok(order_as_submitted(call, answer))


def _qty_to_close(call: Call, position: Position) -> Decimal | Refusal:
    asked_qty, asked_percentage = call.value("qty"), call.value("percentage")
    if asked_qty is not None and asked_percentage is not None:
        return refusal("qty_and_percentage")
    held = abs(position.qty)
    if asked_qty is not None:
        qty = number(asked_qty)
        if qty is None or qty <= 0:
            return refusal("qty_not_positive")
        return qty
    if asked_percentage is None:
        return held
    percentage = number(asked_percentage)
    if percentage is None or not 0 < percentage <= 100:
        return refusal("percentage_range")
    # Fractions are sold only of a position that is one.
    step = Decimal(1) if held % 1 == 0 else NANO
    qty = (held * percentage / 100).quantize(step, ROUND_FLOOR)
    return qty if qty > ZERO else refusal("qty_not_positive")


def _close(call: Call, position: Position, qty: Decimal) -> Order | Refusal:
    is_crypto = position.asset.asset_class is AssetClass.CRYPTO
    body = {
        "symbol": position.asset.symbol,
        "side": "sell" if position.qty > 0 else "buy",
        "qty": qty,
        "type": "market",
        "time_in_force": "gtc" if is_crypto else "day",
    }
    return submit(call.book, call.account, body)


def close_all(call: Call) -> Answer:
    """Close every position; with cancel_orders after cancelling every open order."""
    if is_true(call.value("cancel_orders")):
        for order in list(call.account.live.values()):
            if not order.ended:
                end(call.book, order, Happening.CANCEL)
    lines = []
    for symbol in sorted(call.account.positions):
        position = call.account.positions[symbol]
        answer = _close(call, position, abs(position.qty))
        if isinstance(answer, Refusal):
            lines.append({"symbol": symbol, "status": answer.status, "body": dict(answer.body)})
        else:
            lines.append({"symbol": symbol, "status": 200, "body": order_as_submitted(call, answer)})
    return Reply(status=207, body=lines)


def exercise(call: Call, symbol_or_id: str) -> Answer:
    """Exercise a contract now."""
    asset = find_asset(call.book, symbol_or_id)
    return options.exercise(call.book, call.account, asset.symbol if asset else symbol_or_id) or Reply(
        status=200
    )


def do_not_exercise(call: Call, symbol_or_id: str) -> Answer:
    """Keep a contract from exercising itself."""
    asset = find_asset(call.book, symbol_or_id)
    return options.do_not_exercise(call.account, asset.symbol if asset else symbol_or_id) or Reply(status=200)
