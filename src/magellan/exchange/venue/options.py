"""Options: what an account may trade at its level, what covers a written contract, exercise and expiry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.market.asset import Asset, AssetClass
from magellan.exchange.market.option_contract import MULTIPLIER, OptionContract, Right
from magellan.exchange.market.trading_hours import day_of
from magellan.exchange.venue.account import Account, Position
from magellan.exchange.venue.book import Book
from magellan.exchange.venue.held_shares import available
from magellan.exchange.venue.margin import standing
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.order_end import end
from magellan.exchange.venue.order_states import Happening, State
from magellan.exchange.venue.ticket import INTENTS, Ticket
from magellan.exchange.venue.wire_format import CENT, ONE, ZERO, number, text

COVERED, LONG, SPREADS = 1, 2, 3  # levels, in Alpaca's numbers


def refused_contract(book: Book, account: Account, ticket: Ticket, asset: Asset) -> Refusal | None:
    """Whether the account may trade options at all, and this contract still."""
    if asset.asset_class is not AssetClass.US_OPTION:
        return None
    if account.options_level < COVERED:
        return refusal("option_level", level=account.options_level)
    contract = OptionContract.parse(asset.symbol)
    assert contract is not None, "an option's symbol names its contract"
    if contract.expires_on < day_of(book.now_ns):
        return refusal("option_expired", symbol=asset.symbol)
    return None


def refused_cover(book: Book, account: Account, order: Order) -> Refusal | None:
    """Whether an opening option order is within the account's level, and a written contract is covered."""
    assert order.asset is not None
    if order.asset.asset_class is not AssetClass.US_OPTION:
        return None
    if order.side == "buy":
        return None if account.options_level >= LONG else refusal("option_level", level=account.options_level)
    contract = OptionContract.parse(order.symbol)
    assert contract is not None and order.qty is not None
    if contract.right is Right.CALL:
        required = order.qty * MULTIPLIER
        written = _written_calls(account, contract.underlying) * MULTIPLIER
        free = available(account, contract.underlying, book.working.get(contract.underlying, {})) - written
        if account.held(contract.underlying) <= 0:
            return refusal("option_uncovered")
        if free < required:
            return refusal("option_covered_call", required=text(required), available=text(max(ZERO, free)))
        return None
    # A written put is covered by the cash that would buy the shares.
    order.cost_usd = order.reserved_usd = contract.strike * MULTIPLIER * order.qty
    power = standing(book, account).non_marginable_usd
    if book.terms.buying_power_rule and order.reserved_usd > power:
        return refusal(
            "insufficient_buying_power",
            buying_power=text(power.quantize(CENT)),
            cost_basis=text(order.reserved_usd.quantize(CENT)),
        )
    return None


def _written_calls(account: Account, underlying: str) -> Decimal:
    """Contracts written on the shares, those of open orders included."""
    total = ZERO
    for position in account.positions.values():
        contract = OptionContract.parse(position.asset.symbol)
        if contract and contract.underlying == underlying and contract.right is Right.CALL:
            total += max(ZERO, -position.qty)
    for order in account.live.values():
        contract = OptionContract.parse(order.symbol) if order.position_intent == "sell_to_open" else None
        if contract and contract.underlying == underlying and contract.right is Right.CALL:
            total += order.left
    return total


def read_leg(
    book: Book,
    account: Account,
    parent: Order,
    index: int,
    asked: Mapping[str, Any],
    find_asset: Callable[[Book, str], Asset | None],
) -> Order | Refusal:
    """One leg of an mleg order."""

    def invalid(why: str) -> Refusal:
        return refusal("mleg_leg_invalid", index=index, why=why)

    symbol, ratio = asked.get("symbol"), number(asked.get("ratio_qty"))
    intent = asked.get("position_intent") or None
    side = asked.get("side") or (str(intent).split("_", maxsplit=1)[0] if intent else None)
    if not isinstance(symbol, str) or ratio is None or ratio <= 0 or ratio % 1:
        return invalid("symbol and a whole ratio_qty are required")
    if side not in ("buy", "sell") or (intent is not None and intent not in INTENTS):
        return invalid("side or position_intent is required")
    asset = find_asset(book, symbol)
    if asset is None or asset.asset_class is not AssetClass.US_OPTION:
        return invalid(f"{symbol} is not an option contract")
    assert parent.qty is not None
    held = account.held(asset.symbol)
    inferred = f"{side}_to_{'close' if held * (1 if side == 'buy' else -1) < 0 else 'open'}"
    if intent is not None and intent != inferred:
        return refusal("intent_mismatch", inferred=inferred, specified=intent)
    qty = parent.qty * ratio
    if inferred.endswith("close") and qty > abs(held):
        return invalid(f"{symbol}: more than is held")
    return Order(
        id=book.identities.next_uuid(),
        client_order_id=book.identities.next_uuid(),
        account_id=account.id,
        number=book.next_number(),
        asset=asset,
        order_class="mleg",
        side=side,
        type=parent.type,
        tif=parent.tif,
        qty=qty,
        ratio_qty=ratio,
        position_intent=inferred,
        state=parent.state,
        created_ns=parent.created_ns,
        submitted_ns=parent.submitted_ns,
        updated_ns=parent.updated_ns,
        expires_ns=parent.expires_ns,
        parent=parent,
    )


def refused_spread(book: Book, account: Account, order: Order, net: Decimal | None) -> Refusal | None:
    """Whether the account may hold the spread: its level, every written leg covered by a bought one, and the money."""
    if account.options_level < SPREADS:
        return refusal("option_level", level=account.options_level)
    if net is None:
        return refusal("no_price", symbol=order.legs[0].symbol)
    uncovered: dict[tuple[str, Right], Decimal] = {}
    loss = ZERO
    for leg in order.legs:
        contract = OptionContract.parse(leg.symbol)
        assert contract is not None and leg.ratio_qty is not None
        if leg.position_intent and leg.position_intent.endswith("open"):
            kind = (contract.underlying, contract.right)
            uncovered[kind] = uncovered.get(kind, ZERO) + leg.sign * leg.ratio_qty
        direction = 1 if contract.right is Right.PUT else -1
        loss += leg.sign * leg.ratio_qty * contract.strike * direction
    if any(count < 0 for count in uncovered.values()):
        return refusal("option_uncovered")
    assert order.qty is not None
    # At worst the strikes lie apart against us; a debit is all that can be lost where they do not.
    per_unit = max(ZERO, order.limit_price if order.limit_price is not None else net)
    written = any(leg.side == "sell" for leg in order.legs)
    at_risk = max(per_unit, abs(loss) + min(ZERO, net)) if written and net < 0 else per_unit
    order.cost_usd = order.reserved_usd = at_risk * MULTIPLIER * order.qty
    power = standing(book, account).non_marginable_usd
    if book.terms.buying_power_rule and order.reserved_usd > power:
        return refusal(
            "insufficient_buying_power",
            buying_power=text(power.quantize(CENT)),
            cost_basis=text(order.reserved_usd.quantize(CENT)),
        )
    return None


# Exercise and expiry


def exercise(book: Book, account: Account, symbol: str) -> Refusal | None:
    """Exercise every free contract of a long position now; None when it was done."""
    contract = OptionContract.parse(symbol)
    if contract is None:
        return refusal("not_an_option", symbol=symbol)
    position = account.positions.get(symbol)
    if position is None:
        return refusal("exercise_no_position", symbol=symbol)
    if position.qty < 0:
        return refusal("exercise_short", symbol=symbol)
    free = available(account, symbol, book.working.get(symbol, {}))
    if free <= 0:
        return refusal("exercise_no_position", symbol=symbol)
    shares = free * MULTIPLIER
    if contract.right is Right.CALL:
        enough = shares * contract.strike <= standing(book, account).day_usd
    else:
        enough = account.held(contract.underlying) >= shares or account.may_short
    if not enough:
        return refusal("exercise_no_cash", symbol=symbol)
    _deliver(book, account, position, contract, free, kind="OPEXC")
    return None


def do_not_exercise(account: Account, symbol: str) -> Refusal | None:
    """Keep a contract from being exercised by itself when it expires."""
    if OptionContract.parse(symbol) is None:
        return refusal("not_an_option", symbol=symbol)
    position = account.positions.get(symbol)
    if position is None or position.qty <= 0:
        return refusal("exercise_no_position", symbol=symbol)
    account.do_not_exercise.add(symbol)
    return None


def expire_contracts(book: Book) -> None:
    """At the close of a session: what expires today is exercised or assigned when it is in the money, else it ends."""
    today = day_of(book.now_ns)
    for account in book.accounts.values():
        for symbol in sorted(account.positions):
            position = account.positions.get(symbol)
            contract = OptionContract.parse(symbol)
            if position is None or contract is None or contract.expires_on > today:
                continue
            for order in list(book.working.get(symbol, {}).values()):
                if order.account_id == account.id and not order.ended:
                    end(
                        book,
                        order.parent if _has_open_parent(order) and order.parent else order,
                        Happening.EXPIRE,
                    )
            spot = book.price(contract.underlying)
            worth = ZERO if spot is None else contract.strike - spot
            if contract.right is Right.CALL:
                worth = -worth
            wanted = position.qty < 0 or symbol not in account.do_not_exercise
            if spot is not None and worth >= CENT and wanted:
                kind = "OPEXC" if position.qty > 0 else "OPASN"
                _deliver(book, account, position, contract, abs(position.qty), kind=kind)
            else:
                _remove(book, account, position, abs(position.qty), kind="OPEXP")
            account.do_not_exercise.discard(symbol)


def _has_open_parent(order: Order) -> bool:
    return order.order_class == "mleg" and order.parent is not None and order.parent.state is not State.FILLED


def _remove(book: Book, account: Account, position: Position, contracts: Decimal, *, kind: str) -> None:
    """Take contracts away for nothing."""
    signed = -contracts if position.qty > 0 else contracts
    account.realised_usd += position.take(signed, ZERO)
    book.note_other(account, kind, net_usd=ZERO, symbol=position.asset.symbol, qty=signed, price=ZERO)
    book.drop_if_flat(account, position)


def _deliver(
    book: Book,
    account: Account,
    position: Position,
    contract: OptionContract,
    contracts: Decimal,
    *,
    kind: str,
) -> None:
    """Exchange contracts for shares at the strike."""
    was_long = position.qty > 0
    _remove(book, account, position, contracts, kind=kind)
    buys = (contract.right is Right.CALL) == was_long
    shares = contracts * MULTIPLIER * (ONE if buys else -ONE)
    asset = book.market.asset(contract.underlying)
    assert asset is not None, "a contract's share is an asset"
    book.change_position(account, asset, shares, contract.strike)
    book.note_other(
        account,
        "OPTRD",
        net_usd=-shares * contract.strike,
        symbol=contract.underlying,
        qty=shares,
        price=contract.strike,
    )
