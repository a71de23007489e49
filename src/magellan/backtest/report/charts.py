"""Charts of a run's report: where the page's script draws equity, prices and distributions."""

from __future__ import annotations

from magellan.backtest.metrics import Metrics
from magellan.backtest.report.html import Markup, element
from magellan.backtest.result import BacktestResult


def equity_chart() -> Markup:
    """Account value over time, beside holding."""
    scale = element(
        "div",
        [
            element("button", "linear", id="scale-linear", type="button", aria_pressed="true"),
            element("button", "logarithmic", id="scale-log", type="button", aria_pressed="false"),
        ],
        class_="controls",
    )
    return element(
        "div",
        [
            element(
                "p",
                "Account value at each close, beside the same money spread evenly over the symbols at the first bar "
                "and held. Drag to zoom, double-click for the whole run.",
                class_="hint",
            ),
            scale,
            _chart("equity-chart", "tall", "Equity, drawdown and exposure over time"),
        ],
        class_="card",
    )


def price_chart(result: BacktestResult) -> Markup:
    """Prices with every trade on them."""
    buttons = [
        element("select", "", id="price-symbol", aria_label="Symbol (number of trades)"),
        element("button", "previous trade", id="trade-before", type="button"),
        element("button", "next trade", id="trade-after", type="button"),
        element("button", "whole run", id="whole-run", type="button"),
        element("span", "", id="chosen-trade", class_="chosen-trade muted", aria_live="polite"),
    ]
    return element(
        "div",
        [
            element(
                "p",
                "Far out, the band spans lowest to highest price and the line is the close; near trades, every bar is "
                "a candle. Nights and weekends take no room. Click a mark to go to its trade.",
                class_="hint",
            ),
            element("div", buttons, class_="controls"),
            _chart("price-chart", "middle", f"Price and trades of {', '.join(result.market.symbols[:8])}"),
        ],
        class_="card",
    )


def distribution_charts(metrics: Metrics) -> Markup:
    """How returns and excursions of trades are spread."""
    if metrics.trades == 0:
        return element("div", element("p", "No trade was made.", class_="muted"), class_="card")
    returns = element(
        "div",
        [
            element("h3", "Returns of trades"),
            element("p", "After all costs, of what the position cost.", class_="hint"),
            _chart("distribution-chart", "low", "Histogram of the returns of trades"),
        ],
        class_="card",
    )
    excursions = element(
        "div",
        [
            element("h3", "How far trades went both ways"),
            element(
                "p",
                "Each mark is a trade: its return, over its worst and best price while it was held. Click to see it.",
                class_="hint",
            ),
            _chart(
                "excursion-chart", "low", "Returns of trades over their adverse and favourable excursions"
            ),
        ],
        class_="card",
    )
    return element("div", [returns, excursions], class_="two")


def _chart(name: str, height: str, label: str) -> Markup:
    return element("div", "", id=name, class_=f"chart {height}", role="img", aria_label=label)
