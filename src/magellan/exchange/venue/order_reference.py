"""The page docs/reference/exchange-orders.md, written from the tables that the exchange itself goes by."""

from __future__ import annotations

from collections.abc import Iterator

from magellan.exchange.error_catalogue import entries
from magellan.exchange.venue.era import FEATURES
from magellan.exchange.venue.order_kinds import KINDS
from magellan.exchange.venue.order_states import drawing
from magellan.exchange.venue.wash_trade import WASH_TRADES


def order_page() -> str:
    """Kinds of order, states, wash trades, eras and errors, in Markdown."""
    return "".join(_parts())


def _parts() -> Iterator[str]:
    yield "# Orders at the paper exchange\n\n"
    yield "What the local paper exchange takes, what becomes of it, and how it refuses.\n"
    yield "\n## Kinds of order\n\nClass, time in force and type; what is not listed is refused.\n"
    yield "\n| asset | class | time in force | types |\n|---|---|---|---|\n"
    for asset_class, by_class in KINDS.items():
        for order_class, by_tif in by_class.items():
            for tif, types in by_tif.items():
                yield f"| {asset_class.value} | {order_class} | {tif} | {', '.join(types)} |\n"
    yield "\n## States\n\nThe words beside the arrows are the venue's own for what happens.\n"
    yield f"\n```mermaid\n{drawing()}\n```\n"
    yield "\n## Wash trades\n\n"
    yield "A new order on the other side of an open one. Complex orders and trailing stops are exempt.\n"
    yield "\n| open order | new order | rejected |\n|---|---|---|\n"
    for row in WASH_TRADES:
        new_side = "sell" if row.open_side == "buy" else "buy"
        yield f"| {row.open_side} {row.open_type} | {new_side} {row.new_type} | {row.verdict.value} |\n"
    yield "\n## Eras\n\nWhat `--api-as-of` changes.\n\n| from | until | what |\n|---|---|---|\n"
    for feature in FEATURES:
        yield f"| {feature.starts_on or ''} | {feature.ends_on or ''} | {feature.what} |\n"
    yield "\n## Errors\n\n"
    yield "`observed`: seen in payloads that users quoted. `documented`: said by Alpaca. `ours`: neither says.\n"
    yield "\n| status | code | message | further members | source | made by |\n|---|---|---|---|---|---|\n"
    for entry in entries().values():
        code = "" if entry.code is None else entry.code
        extras = ", ".join(entry.extras)
        yield f"| {entry.status} | {code} | {entry.message} | {extras} | {entry.source} | {entry.made_by} |\n"
