"""Head of a run's report: who ran what, how it came out, and how sure that is."""

from __future__ import annotations

from magellan.backtest.bootstrap import Interval
from magellan.backtest.confidence import Confidence
from magellan.backtest.metrics import Metrics
from magellan.backtest.report.html import Content, Markup, element, tone
from magellan.backtest.report.metric_list import Form, written
from magellan.backtest.report.summary import is_generated, summary_of
from magellan.backtest.report.words import DASH, count, day, many, percent
from magellan.backtest.result import BacktestResult


def head(result: BacktestResult, metrics: Metrics, sure: Confidence) -> Markup:
    """What the run was, in a sentence and in tiles."""
    manifest = result.manifest
    symbols = result.market.symbols
    named = ", ".join(symbols[:8]) + (f" and {len(symbols) - 8} more" if len(symbols) > 8 else "")
    summary = summary_of(metrics, sure)
    says = [element("div", [element("p", sentence) for sentence in summary.sentences])]
    if summary.cautions:
        doubts = element("ul", [element("li", caution) for caution in summary.cautions])
        says.append(element("div", [element("h3", "Before you believe it"), doubts]))
    parts = [
        element("h1", [manifest.strategy, " ", element("span", manifest.strategy_version, class_="muted")]),
        element(
            "p",
            f"{named} · {metrics.timeframe} bars · {day(metrics.first_on)} to {day(metrics.last_on)} · "
            f"{many(metrics.bars, 'bar')} · run {manifest.run_id}",
            class_="muted",
        ),
        *_banners(result),
        element(
            "div",
            [element("p", summary.headline, class_="headline"), element("div", says, class_="says")],
            class_=f"card summary {summary.outcome}",
        ),
        _tiles(metrics, sure),
    ]
    return element("header", parts)


def _banners(result: BacktestResult) -> list[Markup]:
    found = []
    if is_generated(result):
        found.append(
            element(
                "div",
                [
                    element("strong", "Generated data"),
                    "These bars were made by a random generator. Nobody ever traded at these prices; the result says "
                    "nothing about any market.",
                ],
                class_="banner",
                role="note",
            )
        )
    if result.misleading:
        found.append(
            element(
                "div",
                [
                    element("strong", "These results mislead"),
                    "The run used settings that make results better than money would have seen. No gate opens for it.",
                    element("ul", [element("li", setting) for setting in result.misleading]),
                ],
                class_="banner bad",
                role="note",
            )
        )
    return found


def _tiles(metrics: Metrics, sure: Confidence) -> Markup:
    deepest, longest = metrics.drawdown_deepest, metrics.drawdown_longest
    held = metrics.benchmark_return_fraction
    tiles = [
        _tile(
            "Return",
            tone(metrics.return_fraction, written(metrics.return_fraction, "signed percent")),
            _interval(sure.return_fraction, "signed percent"),
            f"{written(metrics.return_yearly_fraction, 'signed percent')} per year"
            if metrics.return_yearly_fraction is not None
            else "",
        ),
        _tile(
            "Buy and hold",
            tone(held, written(held, "signed percent")),
            *(
                (metrics.missing["benchmark_return_fraction"],)
                if held is None
                else (
                    f"drawdown {written(metrics.benchmark_drawdown_fraction_max, 'percent')}",
                    f"beta {written(metrics.beta, 'ratio')}",
                    f"alpha {written(metrics.alpha_yearly_fraction, 'signed percent')}",
                )
            ),
        ),
        _tile(
            "Sharpe ratio",
            written(metrics.sharpe, "ratio"),
            *(
                (f"sessions {written(metrics.sharpe_daily, 'ratio')}",)
                if metrics.sharpe != metrics.sharpe_daily
                else ()
            ),
            _interval(sure.sharpe_daily, "ratio"),
            f"{percent(sure.probabilistic_sharpe)} likely above zero"
            if sure.probabilistic_sharpe is not None
            else "",
        ),
        _tile(
            "Deepest drawdown",
            written(metrics.drawdown_fraction_max, "percent"),
            _interval(sure.drawdown_fraction_max, "percent"),
            f"{day(deepest.peak_on)} to {day(deepest.trough_on)}" if deepest else "",
        ),
        _tile(
            "Longest drawdown",
            count(longest.sessions) if longest else DASH,
            f"sessions, or {many(longest.days, 'calendar day')}" if longest else "",
            (f"over on {day(longest.recovered_on)}" if longest.recovered_on else "not over yet")
            if longest
            else "",
        ),
        _tile(
            "Sortino, Calmar",
            f"{written(metrics.sortino, 'ratio')}, {written(metrics.calmar, 'ratio')}",
            f"volatility {written(metrics.volatility_yearly_fraction, 'percent')} per year",
        ),
        _tile(
            "Profit factor",
            written(metrics.profit_factor, "ratio"),
            _interval(sure.profit_factor, "ratio"),
            f"payoff ratio {written(metrics.payoff_ratio, 'ratio')}",
        ),
        _tile(
            "Win rate",
            written(metrics.win_rate, "percent"),
            _interval(sure.win_rate, "percent"),
            "after costs",
        ),
        _tile(
            "Trades",
            count(metrics.trades),
            f"{count(metrics.trades_long)} long, {count(metrics.trades_short)} short"
            + (f", {count(metrics.trades_open)} open" if metrics.trades_open else ""),
            f"{written(metrics.bars_held_median, 'decimal')} bars held (median)",
        ),
        _tile(
            "Mean trade",
            tone(metrics.expectancy_usd, written(metrics.expectancy_usd, "signed usd")),
            _interval(sure.expectancy_usd, "signed usd"),
            written(metrics.expectancy_fraction, "signed percent"),
        ),
        _tile(
            "Time in the market",
            written(metrics.time_in_market_fraction, "percent"),
            f"mean exposure {written(metrics.exposure_mean_fraction, 'percent')}",
            f"turnover {written(metrics.turnover_yearly, 'decimal')} a year",
        ),
        _tile(
            "Costs",
            written(metrics.costs_usd, "usd"),
            f"commission {written(metrics.commission_usd, 'usd')}",
            f"slippage {written(metrics.slippage_usd, 'usd')}",
        ),
    ]
    return element("div", tiles, class_="tiles")


def _tile(name: str, value: Content, *beside: str) -> Markup:
    lines = [element("div", line, class_="beside") for line in beside if line]
    return element(
        "div",
        [element("div", name, class_="name"), element("div", value, class_="value"), *lines],
        class_="tile",
    )


def _interval(found: Interval | None, form: Form) -> str:
    if found is None:
        return ""
    if form in ("percent", "signed percent"):

        def say(value: float) -> str:
            return percent(value, signed=form == "signed percent")

    else:

        def say(value: float) -> str:
            return written(value, form)

    if found.high is None:
        return f"{percent(found.level, 0)}: {say(found.low)} or more"
    return f"{percent(found.level, 0)}: {say(found.low)} to {say(found.high)}"
