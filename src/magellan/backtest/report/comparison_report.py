"""Comparison report: runs side by side on one page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from magellan.backtest.bootstrap import Interval
from magellan.backtest.comparison import AgainstBase, Comparison, Difference
from magellan.backtest.drawdown import depths
from magellan.backtest.kept_run import KeptRun
from magellan.backtest.report.figures import CURVE_POINTS_MAX, Data, telling_rows
from magellan.backtest.report.html import Column, Content, Markup, card, element, grouped_table, table, tone
from magellan.backtest.report.metric_list import METRIC_GROUPS, MetricEntry, written
from magellan.backtest.report.page import page
from magellan.backtest.report.words import DASH, count, day, many, money, number, percent, price
from magellan.backtest.result import Trade
from magellan.backtest.returns import session_ends

_MINUTES_PER_DAY: Final = 1440
_TRADES_SHOWN: Final = 200


def comparison_report(runs: Sequence[KeptRun], compared: Comparison) -> str:
    """The page as HTML; the same runs give the same bytes. `compared` is of these runs, in this order."""
    title = " and ".join(f"{run.name} {run.strategy}" for run in compared.runs[:3])
    sections = [
        ("growth", "Growth", _growth()),
        ("sure", "How sure", _sure(compared)),
        ("settings", "What differs", _settings(compared)),
        ("metrics", "Metrics", _metrics(compared)),
        ("trades", "Trades", _trades(compared)),
    ]
    return page(
        title=title,
        sections=sections,
        top=_top(runs, compared),
        data={"growth": growth_figure(runs, compared)},
    )


def growth_figure(runs: Sequence[KeptRun], compared: Comparison) -> list[Data]:
    """Growth and drawdown of every run per session, from its own starting money."""
    found = []
    for named, run in zip(compared.runs, runs, strict=True):
        ends = session_ends(run.equity.day)
        equity = run.equity.equity_usd[ends]
        rows = telling_rows(equity, CURVE_POINTS_MAX)
        found.append(
            {
                "name": f"{named.name} {named.strategy}",
                "at": (run.equity.day[ends][rows].astype(np.int64) * _MINUTES_PER_DAY).tolist(),
                "growth": (equity[rows] / run.cash_start_usd - 1.0).round(6).tolist(),
                "drawdown": (-depths(equity, run.cash_start_usd)[rows]).round(6).tolist(),
            }
        )
    return found


def _top(runs: Sequence[KeptRun], compared: Comparison) -> Markup:
    rows: list[list[Content]] = []
    for named, run in zip(compared.runs, runs, strict=True):
        marks: list[Markup] = []
        if named.generated:
            marks.append(element("span", "generated data", class_="mark"))
        if named.misleading:
            marks.append(
                element("span", "misleads", class_="mark", title="; ".join(named.misleading))
            )  # fmt: skip
        metrics = run.metrics
        rows.append(
            [
                named.name,
                f"{named.strategy} {named.strategy_version}",
                element("code", named.run_id),
                f"{day(metrics.first_on)} to {day(metrics.last_on)}",
                count(metrics.bars),
                ", ".join(used.symbol for used in run.manifest.data[:8]),
                Markup(" ".join(marks)),
            ]
        )
    columns = (
        Column(heading=""),
        Column(heading="Strategy"),
        Column(heading="Run"),
        Column(heading="Sessions from and to"),
        Column(heading="Bars", kind="number"),
        Column(heading="Symbols"),
        Column(heading=""),
    )
    return element(
        "header",
        [
            element("h1", "Runs side by side"),
            element("div", [element("p", _verdict(compared), class_="headline"), table(columns, rows)],
                    class_="card summary"),
        ],
    )  # fmt: skip


def _verdict(compared: Comparison) -> str:
    """One sentence about the second run against the first."""
    return " ".join(verdict_of(each) for each in compared.against_base)


def verdict_of(against: AgainstBase) -> str:
    """Whether a run did better than the base, and how sure that is."""
    found = against.paired
    if found is None:
        return f"{against.name} against A cannot be judged: {against.paired_missing}."
    better = found.sharpe_better_share
    share = better if found.sharpe_difference > 0 else 1.0 - better
    if found.sharpe_difference == 0:
        return f"{against.name} has the same Sharpe ratio as A."
    word = "higher" if found.sharpe_difference > 0 else "lower"
    low, high = found.sharpe_interval.low, found.sharpe_interval.high
    by_chance = (
        "chance rarely does that" if high is not None and (low > 0 or high < 0) else "chance may explain it"
    )
    return (
        f"The Sharpe ratio of {against.name} is {number(abs(found.sharpe_difference))} {word} than that of A, and so "
        f"in {percent(share, 0)} of redrawn histories: {by_chance}."
    )


def _metrics(compared: Comparison) -> Markup:
    names = [run.name for run in compared.runs]
    row_of = {row.metric: row for row in compared.metrics}
    columns = (
        Column(heading="Metric"),
        *(Column(heading=name, kind="number") for name in names),
        *(Column(heading=f"{name} {DASH} A", kind="number") for name in names[1:]),
    )
    groups: dict[str, list[list[Content]]] = {}
    for group, entries in METRIC_GROUPS.items():
        groups[group] = [
            [
                entry.name,
                *(entry.text(value) for value in row_of[entry.field].values),
                *(_change(entry, difference) for difference in row_of[entry.field].differences),
            ]
            for entry in entries
        ]
    hint = "Differences are blue where they are for the better, orange where for the worse. pp: percentage points."
    return element("div", [element("p", hint, class_="hint"), grouped_table(columns, groups)], class_="card")


def _change(entry: MetricEntry, difference: float | None) -> Content:
    if difference is None:
        return DASH
    text = change_text(entry, difference)
    sign = {"higher": 1.0, "lower": -1.0, "": 0.0}[entry.better]
    return tone(sign * difference, text)


def change_text(entry: MetricEntry, difference: float) -> str:
    """A difference of two values of a metric, with its sign."""
    match entry.form:
        case "percent" | "signed percent":
            return _points(difference)
        case "usd" | "signed usd":
            return money(difference, 2, signed=True)
        case "count":
            return number(difference, 0, signed=True)
        case "decimal":
            return number(difference, 1, signed=True)
        case "ratio":
            return number(difference, 2, signed=True)


def _points(difference: float) -> str:
    return number(100.0 * difference, 2, signed=True) + "\N{NO-BREAK SPACE}pp"


def _growth() -> Markup:
    return element(
        "div",
        [
            element("p", "At each session's close, from each run's own starting money.", class_="hint"),
            element(
                "div",
                "",
                id="growth-chart",
                class_="chart middle",
                role="img",
                aria_label="Growth of all runs",
            ),
        ],
        class_="card",
    )


def _sure(compared: Comparison) -> Markup:
    columns = (
        Column(heading="Against A"),
        Column(heading="Sessions", kind="number"),
        Column(heading="Sharpe ratio", kind="number"),
        Column(heading="Range", kind="number"),
        Column(heading="Better in", kind="number"),
        Column(heading="Return", kind="number"),
        Column(heading="Range", kind="number"),
        Column(heading="Better in", kind="number"),
    )
    rows: list[list[Content]] = []
    notes = []
    for against in compared.against_base:
        found = against.paired
        if found is None:
            notes.append(element("p", f"{against.name}: {against.paired_missing}.", class_="muted"))
            continue
        rows.append(
            [
                against.name,
                count(found.sessions),
                number(found.sharpe_difference, signed=True),
                _range(found.sharpe_interval, "ratio"),
                percent(found.sharpe_better_share, 0),
                _points(found.growth_difference_fraction),
                _range(found.growth_interval, "percent"),
                percent(found.growth_better_share, 0),
            ]
        )
    hint = (
        "The sessions that both runs have were drawn again in blocks, the same ones for both, so that a good day of "
        "the market is good for both. A range that leaves out zero is rarely chance; runs that were chosen among many "
        "for their numbers need more than that (deflated Sharpe ratio)."
    )
    parts = [element("p", hint, class_="hint"), *notes]
    if rows:
        parts.append(table(columns, rows))
    return element("div", parts, class_="card")


def _range(found: Interval, form: str) -> str:
    def say(value: float) -> str:
        return _points(value) if form == "percent" else number(value, signed=True)

    return f"{say(found.low)} to {DASH if found.high is None else say(found.high)}"


def _settings(compared: Comparison) -> Markup:
    cards = [
        card(name, _difference_table(compared, rows))
        for name, rows in (
            ("Config", compared.config),
            ("Data", compared.data),
            ("Code and versions", compared.identity),
        )
    ]
    return element("div", cards)


def _difference_table(compared: Comparison, rows: tuple[Difference, ...]) -> Markup:
    if not rows:
        return element("p", "No difference.", class_="muted")
    columns = (Column(heading="Key"), *(Column(heading=run.name) for run in compared.runs))
    return table(
        columns, [[row.path, *(element("code", value or DASH) for value in row.values)] for row in rows]
    )


def _trades(compared: Comparison) -> Markup:
    cards = []
    for against in compared.against_base:
        found = against.trades
        head = (
            f"{many(found.same, 'trade')} the same, {count(len(found.changed))} with another outcome, "
            f"{count(len(found.only_in_base))} only in A, {count(len(found.only_here))} only in {against.name}."
        )
        parts = [element("p", head)]
        if found.changed:
            parts.append(
                _changed(against.name, [(each.base, each.other) for each in found.changed])
            )  # fmt: skip
        for name, trades in (("A", found.only_in_base), (against.name, found.only_here)):
            if trades:
                parts.append(_trade_list(f"Only in {name}", trades))
        cards.append(card(f"{against.name} against A", *parts))
    return element("div", cards)


def _changed(name: str, pairs: Sequence[tuple[Trade, Trade]]) -> Markup:
    columns = (
        Column(heading="Symbol"),
        Column(heading="Side"),
        Column(heading="Entered, UTC"),
        Column(heading="Profit in A", kind="number"),
        Column(heading=f"in {name}", kind="number"),
        Column(heading="Reason in A"),
        Column(heading=f"in {name}"),
    )
    rows = [
        [
            base.symbol,
            base.side,
            f"{base.entered_at:%Y-%m-%d %H:%M}",
            tone(base.pnl_usd, money(base.pnl_usd, 2, signed=True)),
            tone(other.pnl_usd, money(other.pnl_usd, 2, signed=True)),
            ", ".join(base.reasons),
            ", ".join(other.reasons),
        ]
        for base, other in pairs[:_TRADES_SHOWN]
    ]
    return _folded("Another outcome", len(pairs), table(columns, rows))


def _trade_list(title: str, trades: Sequence[Trade]) -> Markup:
    columns = (
        Column(heading="Symbol"),
        Column(heading="Side"),
        Column(heading="Units", kind="number"),
        Column(heading="Entered, UTC"),
        Column(heading="Entry", kind="number"),
        Column(heading="Left, UTC"),
        Column(heading="Exit", kind="number"),
        Column(heading="Profit", kind="number"),
        Column(heading="Return", kind="number"),
        Column(heading="Reason"),
    )
    rows = [
        [
            trade.symbol,
            trade.side,
            number(trade.units, 0 if trade.units == int(trade.units) else 4),
            f"{trade.entered_at:%Y-%m-%d %H:%M}",
            price(trade.entry_price),
            "open" if trade.exited_at is None else f"{trade.exited_at:%Y-%m-%d %H:%M}",
            price(trade.exit_price),
            tone(trade.pnl_usd, money(trade.pnl_usd, 2, signed=True)),
            written(trade.return_fraction, "signed percent"),
            ", ".join(trade.reasons),
        ]
        for trade in trades[:_TRADES_SHOWN]
    ]
    return _folded(title, len(trades), table(columns, rows))


def _folded(title: str, total: int, content: Markup) -> Markup:
    shown = f", the first {_TRADES_SHOWN} shown" if total > _TRADES_SHOWN else ""
    return element("details", [element("summary", f"{title} ({count(total)}{shown})"), content])
