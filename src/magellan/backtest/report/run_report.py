"""Run report: everything there is to see of one run, on one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from magellan.backtest.bootstrap import Interval
from magellan.backtest.breakdown import PeriodRow
from magellan.backtest.confidence import Confidence
from magellan.backtest.metrics import Metrics
from magellan.backtest.report.assumptions import assumptions_of
from magellan.backtest.report.figures import TRADES_MAX, run_figures
from magellan.backtest.report.html import Column, Content, Markup, element, facts, table, tone
from magellan.backtest.report.metric_list import METRIC_GROUPS, Form, written
from magellan.backtest.report.page import page
from magellan.backtest.report.summary import is_generated, summary_of
from magellan.backtest.report.words import DASH, count, day, instant_utc, many, money, number, percent
from magellan.backtest.result import BacktestResult
from magellan.trading.session import SessionClock
from magellan.workspace.config import StrategyConfig

if TYPE_CHECKING:
    from magellan.backtest.regime_breakdown import RegimeRow

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def run_report(
    result: BacktestResult, metrics: Metrics, sure: Confidence, regimes: Sequence[RegimeRow] = ()
) -> str:
    """The page as HTML. It opens offline, and the same run gives the same bytes.

    regimes: the run's parts by regime, where they were asked for.
    Raises: FixInput or pydantic's ValidationError when the manifest's config is not a strategy's.
    """
    manifest = result.manifest
    config = StrategyConfig.model_validate(dict(manifest.config))
    figures = run_figures(result, SessionClock(config.data.clock))
    figures["name"] = f"{manifest.strategy}-{manifest.run_id}"
    sections = [
        ("equity", "Equity", _equity()),
        ("prices", "Trades on price", _prices(result)),
        ("months", "Months and years", _months(metrics)),
        ("distribution", "Distribution", _distribution(metrics)),
        ("trades", "Trades", _trades(result)),
        ("breakdown", "By symbol and reason", _breakdown(result, metrics)),
        *([("regimes", "By regime", _regimes(regimes))] if regimes else []),
        ("metrics", "All metrics", _metrics(metrics, sure)),
        ("assumptions", "Assumptions", _assumptions(config)),
        ("identity", "Identity", _identity(result, metrics)),
    ]
    return page(
        title=f"{manifest.strategy} {manifest.strategy_version}",
        sections=sections,
        top=_top(result, metrics, sure),
        data=figures,
    )


# The top: who, what, how sure ---------------------------------------------------------------------------------


def _top(result: BacktestResult, metrics: Metrics, sure: Confidence) -> Markup:
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


# Charts -------------------------------------------------------------------------------------------------------


def _equity() -> Markup:
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


def _prices(result: BacktestResult) -> Markup:
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


def _distribution(metrics: Metrics) -> Markup:
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


# Months and years ---------------------------------------------------------------------------------------------


def _months(metrics: Metrics) -> Markup:
    return element(
        "div",
        [
            _card("Returns by month", heat_map(metrics.by_month, metrics.by_year)),
            _card("By year", _years(metrics.by_year)),
        ],
    )  # fmt: skip


def _card(name: str, content: Markup) -> Markup:
    return element("div", [element("h3", name), content], class_="card")


def heat_map(months: Sequence[PeriodRow], years: Sequence[PeriodRow]) -> Markup:
    """Returns by year and month, in per cent; the depth of the colour follows the size."""
    of_month = {row.period: row.return_fraction for row in months}
    largest = max((abs(value) for value in of_month.values() if value is not None), default=0.0)
    body = []
    for year in years:
        cells = [_heat_cell(of_month.get(f"{year.period}-{month:02d}"), largest) for month in range(1, 13)]
        total = element("td", _bare_percent(year.return_fraction), class_="number year")
        body.append(element("tr", [element("th", year.period, scope="row"), *cells, total]))
    head = element(
        "tr", [element("th", name, scope="col") for name in ("%", *_MONTHS, "Year")]
    )  # fmt: skip
    whole = element("table", [element("thead", head), element("tbody", body)], class_="heat")
    return element("div", whole, class_="scroll", tabindex="0")


def _heat_cell(value: float | None, largest: float) -> Markup:
    if value is None:
        return element("td", "")
    share = 0 if largest == 0 else round(75 * abs(value) / largest)
    look = "up" if value > 0 else "down" if value < 0 else None
    return element("td", _bare_percent(value), class_=look, style=f"--share:{share}%" if look else None)


def _bare_percent(value: float | None) -> str:
    return DASH if value is None else number(100 * value, 1, signed=True)


def _years(years: Sequence[PeriodRow]) -> Markup:
    columns = (
        Column(heading="Year"),
        Column(heading="Return", kind="number"),
        Column(heading="Buy and hold", kind="number"),
        Column(heading="Deepest drawdown", kind="number", hint="from the year's own peak"),
        Column(heading="Trades left", kind="number", hint="trades whose last exit is in the year"),
        Column(heading="Their profit", kind="number"),
        Column(heading="Win rate", kind="number"),
    )
    rows = [
        (
            row.period,
            tone(row.return_fraction, written(row.return_fraction, "signed percent")),
            written(row.benchmark_return_fraction, "signed percent"),
            written(row.drawdown_fraction_max, "percent"),
            count(row.trades),
            tone(row.pnl_usd, money(row.pnl_usd, signed=True)),
            written(row.win_rate, "percent"),
        )
        for row in years
    ]
    return table(columns, rows)


# Trades -------------------------------------------------------------------------------------------------------


def _trades(result: BacktestResult) -> Markup:
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


def _regimes(rows: Sequence[RegimeRow]) -> Markup:
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
    return element("div", [warning, _card("By regime", parts)])


def _breakdown(result: BacktestResult, metrics: Metrics) -> Markup:
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
            _card("By symbol", symbols),
            element(
                "div",
                [
                    _card("By reason of exit", reasons),
                    _card("Entries that did not happen", wanted),
                ],
                class_="two uneven",
                style="margin-top:1rem",
            ),
        ],
    )


# The rest -----------------------------------------------------------------------------------------------------


def _metrics(metrics: Metrics, sure: Confidence) -> Markup:
    cards = []
    for name, entries in METRIC_GROUPS.items():
        pairs: list[tuple[Content, Content]] = []
        for entry in entries:
            value = getattr(metrics, entry.field)
            shown: Content = entry.text(value)
            if value is None:
                shown = element("span", f"{DASH} ({metrics.missing[entry.field]})", class_="muted")
            pairs.append(([entry.name, element("small", entry.hint)] if entry.hint else entry.name, shown))
        cards.append(_card(name, facts(pairs)))
    block = sure.sharpe_daily or sure.win_rate
    method = (
        f"Ranges are {percent(sure.level, 0)} intervals: sessions and trades were drawn again "
        f"{count(block.resamples)} times in blocks (stationary bootstrap, seed {sure.seed})."
        if block is not None
        else "Too little happened for ranges to be estimated."
    )
    reasons = sorted({f"{name}: {why}" for name, why in sure.missing.items()})
    notes = [
        element("p", method, class_="hint"),
        element("p", "Formulas and sources: docs/glossary.md, under the name of each metric.", class_="hint"),
    ]
    if reasons:
        notes.append(
            element(
                "details",
                [
                    element("summary", "Ranges that could not be estimated"),
                    element("ul", [element("li", reason) for reason in reasons], class_="plain hint"),
                ],
            )
        )
    return element("div", [*notes, *cards])


def _assumptions(config: StrategyConfig) -> Markup:
    rows = [
        element(
            "li",
            [
                assumption.text,
                " ",
                element(
                    "span", "flatters", class_="mark", title="Results come out better than with real money"
                )
                if assumption.flatters
                else "",
                " ",
                element("span", f"docs/assumptions.md, “{assumption.heading}”", class_="muted"),
            ],
        )
        for assumption in assumptions_of(config)
    ]
    return element("div", element("ul", rows, class_="plain"), class_="card")


def _identity(result: BacktestResult, metrics: Metrics) -> Markup:
    manifest = result.manifest
    asked = f"{day(manifest.from_on)} to {day(manifest.to_on)}"
    run = facts(
        [
            ("Run", element("code", manifest.run_id)),
            ("Strategy", f"{manifest.strategy} {manifest.strategy_version}"),
            ("Range asked for", "everything" if manifest.from_on is manifest.to_on is None else asked),
            ("First bar opened", instant_utc(metrics.first_at)),
            ("Last bar closed", instant_utc(metrics.last_at)),
            ("Bars", f"{count(len(result.market))} of {metrics.timeframe}, {count(metrics.bars)} instants"),
            ("Sessions", count(metrics.sessions)),
            ("Starting money", money(metrics.cash_start_usd)),
            ("Code", element("code", manifest.code_sha256)),
            ("Config", element("code", manifest.config_sha256)),
            ("Corporate actions", element("code", manifest.actions_sha256)),
            ("Seed", str(manifest.seed)),
            (
                "Versions",
                ", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items())),
            ),
        ],
        wide=True,
    )
    sets = table(
        (
            Column(heading="Symbol"),
            Column(heading="Set of bars"),
            Column(heading="Rows", kind="number"),
            Column(heading="First"),
            Column(heading="Last"),
            Column(heading="SHA-256 of the rows used"),
        ),
        [
            (
                used.symbol,
                [used.set_id, " ", element("span", "generated", class_="mark") if used.generated else ""],
                count(used.rows),
                instant_utc(used.first_at),
                instant_utc(used.last_at),
                element("code", used.sha256),
            )
            for used in manifest.data
        ],
    )
    config = element(
        "details",
        [element("summary", "Effective config"), element("pre", element("code", _json(manifest.config)))],
    )
    return element(
        "div",
        [
            _card("What fixes this result", run),
            _card("Data", sets),
            element("div", config, class_="card"),
            element("footer", "The same manifest gives the same page, byte for byte."),
        ],
    )


def _json(config: Mapping[str, Any]) -> str:
    return json.dumps(config, indent=2, ensure_ascii=False, sort_keys=True)
