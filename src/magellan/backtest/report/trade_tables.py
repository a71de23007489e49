"""Trade tables of a run's report: each trade, and their sums by symbol, reason and regime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from magellan.backtest.metrics import Metrics
from magellan.backtest.report.figures import TRADES_MAX
from magellan.backtest.report.html import Column, Markup, card, element, table, tone
from magellan.backtest.report.metric_list import written
from magellan.backtest.report.words import count, money
from magellan.backtest.result import BacktestResult

if TYPE_CHECKING:
    from magellan.backtest.regime_breakdown import RegimeRow


def trade_table(result: BacktestResult) -> Markup:
    """Every trade, as far as the page shows them."""
    if len(result.trades) == 0:
        return element("div", element("p", "No trade was made.", class_="muted"), class_="card")
    controls = element(
        "div",
        [
            element(
                "input", "", id="trade-search", type="search", placeholder="symbol, side, date, reason",
                aria_label="Search trades",
            ),
            element(
                "select",
                [
                    element("option", name, value=value)
                    for value, name in (
                        ("all", "all trades"), ("gains", "gains"), ("losses", "losses"), ("open", "still open")
                    )
                ],
                id="trade-outcome",
                aria_label="Which trades",
            ),
            element("button", "download as CSV", id="trade-csv", type="button", class_="push"),
        ],
        class_="controls",
    )  # fmt: skip
    pages = element(
        "div",
        [
            element("button", "previous", id="page-before", type="button"),
            element("button", "next", id="page-after", type="button"),
            element("span", "", id="page-text", class_="muted", aria_live="polite"),
        ],
        class_="controls",
    )
    rows = element(
        "table",
        [element("thead", element("tr", "", id="trade-head")), element("tbody", "", id="trade-rows")],
        class_="trades",
    )
    parts = [controls, element("div", rows, class_="scroll", tabindex="0"), pages]
    if len(result.trades) > TRADES_MAX:
        note = (
            f"This page holds the {count(TRADES_MAX)} trades with the largest profits and losses of "
            f"{count(len(result.trades))}. All are in trades.csv beside it."
        )
        parts.insert(0, element("p", note, class_="hint"))
    return element("div", parts, class_="card")


def regime_table(rows: Sequence[RegimeRow]) -> Markup:
    """The run's parts by regime."""
    parts = table(
        (
            Column(heading="Axis"),
            Column(heading="Regime", hint="as it was known when the bar before the entry had closed"),
            Column(heading="Of the time", kind="number"),
            Column(heading="Trades", kind="number"),
            Column(heading="Profit", kind="number"),
            Column(heading="Win rate", kind="number"),
            Column(heading="Mean trade", kind="number"),
            Column(
                heading="Sharpe",
                kind="number",
                hint="of the equity over bars that began in it; one symbol only",
            ),
        ),
        [
            (
                row.axis,
                row.label.replace("_", " "),
                written(row.bars_fraction, "percent"),
                count(row.trades),
                tone(row.pnl_usd, money(row.pnl_usd, signed=True)),
                written(row.win_rate, "percent"),
                written(row.expectancy_fraction, "signed percent"),
                written(row.sharpe, "ratio"),
            )
            for row in rows
        ],
    )
    warning = element(
        "p",
        "A regime that was bad for these trades was found by looking at them. Test a gate on other bars before it "
        "counts: magellan regime evaluate compares it with chance.",
        class_="hint",
    )
    return element("div", [warning, card("By regime", parts)])


def breakdown_tables(result: BacktestResult, metrics: Metrics) -> Markup:
    """Sums by symbol and by reason of exit."""
    symbols = table(
        (
            Column(heading="Symbol"),
            Column(heading="Bars", kind="number"),
            Column(heading="Trades", kind="number"),
            Column(heading="Profit", kind="number"),
            Column(heading="Win rate", kind="number"),
            Column(heading="Profit factor", kind="number"),
            Column(heading="Mean trade", kind="number"),
            Column(heading="Best", kind="number"),
            Column(heading="Worst", kind="number"),
            Column(heading="Costs", kind="number"),
        ),
        [
            (
                row.symbol,
                count(row.bars),
                count(row.trades),
                tone(row.pnl_usd, money(row.pnl_usd, signed=True)),
                written(row.win_rate, "percent"),
                written(row.profit_factor, "ratio"),
                written(row.expectancy_fraction, "signed percent"),
                written(row.return_best_fraction, "signed percent"),
                written(row.return_worst_fraction, "signed percent"),
                written(row.costs_usd, "usd"),
            )
            for row in metrics.by_symbol
        ],
    )
    reasons = table(
        (
            Column(heading="Reason of exit"),
            Column(heading="Exit fills", kind="number"),
            Column(heading="Trades ended", kind="number"),
            Column(heading="Profit", kind="number", hint="of the trades that ended with it"),
            Column(heading="Win rate", kind="number"),
            Column(heading="Mean trade", kind="number"),
        ),
        [
            (
                row.reason,
                count(row.exit_fills),
                count(row.trades),
                tone(row.pnl_usd, money(row.pnl_usd, signed=True)),
                written(row.win_rate, "percent"),
                written(row.expectancy_fraction, "signed percent"),
            )
            for row in metrics.by_exit_reason
        ],
    )
    blocked = [
        (reason, count(times)) for reason, times in sorted(result.blocked.items(), key=lambda item: -item[1])
    ]
    wanted = (
        table((Column(heading="Why"), Column(heading="Times", kind="number")), blocked)
        if blocked
        else element("p", "None.", class_="muted")
    )
    return element(
        "div",
        [
            card("By symbol", symbols),
            element(
                "div",
                [
                    card("By reason of exit", reasons),
                    card("Entries that did not happen", wanted),
                ],
                class_="two uneven",
                style="margin-top:1rem",
            ),
        ],
    )
