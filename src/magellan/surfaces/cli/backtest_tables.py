"""How runs and comparisons look on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from magellan.backtest.bootstrap import Interval
from magellan.backtest.comparison import Comparison, Difference
from magellan.backtest.kept_run import KeptRun
from magellan.backtest.metrics import Metrics
from magellan.backtest.report.comparison_report import change_text, verdict_of
from magellan.backtest.report.metric_list import METRIC_GROUPS, METRICS, Form, written
from magellan.backtest.report.summary import summary_of
from magellan.backtest.report.words import DASH, count, day, many, money, percent
from magellan.ports.run_store import RunEntry
from magellan.surfaces.cli.output import print_table, say

if TYPE_CHECKING:
    from magellan.backtest.regime_breakdown import RegimeRow

_WIDTH: Final = 100
_SHOWN_OF_A_RUN: Final = (
    # metric, and the interval in Confidence that goes with it
    ("return_fraction", "return_fraction"),
    ("return_yearly_fraction", ""),
    ("benchmark_return_fraction", ""),
    ("sharpe", ""),
    ("sharpe_daily", "sharpe_daily"),
    ("sortino", ""),
    ("calmar", ""),
    ("drawdown_fraction_max", "drawdown_fraction_max"),
    ("drawdown_sessions_max", ""),
    ("trades", ""),
    ("exit_fills", ""),
    ("win_rate", "win_rate"),
    ("profit_factor", "profit_factor"),
    ("expectancy_usd", "expectancy_usd"),
    ("time_in_market_fraction", ""),
    ("turnover_yearly", ""),
    ("costs_usd", ""),
)


def show_run(run: KeptRun) -> None:
    """A run on standard output: what it is, what it made, how sure that is, and why to doubt it."""
    manifest, metrics, sure = run.manifest, run.metrics, run.confidence
    symbols = [row.symbol for row in metrics.by_symbol]
    named = ", ".join(symbols[:6]) + (f" and {len(symbols) - 6} more" if len(symbols) > 6 else "")
    say(f"{manifest.strategy} {manifest.strategy_version}, run {run.run_id}")
    say(
        f"{named}: {many(metrics.bars, 'bar')} of {metrics.timeframe}, {day(metrics.first_on)} to "
        f"{day(metrics.last_on)}"
    )
    if run.is_generated:
        say("GENERATED DATA: nobody ever traded at these prices; the result says nothing about any market.")
    for setting in run.misleading:
        say(f"MISLEADS: {setting}")
    summary = summary_of(metrics, sure)
    say("")
    say(summary.headline)
    entry_of = {entry.field: entry for entry in METRICS}
    rows = []
    for metric, interval in _SHOWN_OF_A_RUN:
        entry = entry_of[metric]
        value = getattr(metrics, metric)
        found: Interval | None = getattr(sure, interval) if interval else None
        beside = metrics.missing.get(metric, "") if value is None else interval_text(found, entry.form)
        rows.append((entry.name, entry.text(value), beside))
    print_table(("metric", "value", f"{percent(sure.level, 0)} range"), rows, numbers=("value",))
    if len(metrics.by_symbol) > 1:
        _print_symbols(metrics)
    _print_reasons(metrics)
    if run.blocked:
        print_table(
            ("entries that did not happen", "times"),
            [
                (reason, count(times))
                for reason, times in sorted(run.blocked.items(), key=lambda item: -item[1])
            ],
            numbers=("times",),
        )
    for caution in summary.cautions:
        say(textwrap.fill(f"! {caution}", _WIDTH, subsequent_indent="  "))


def interval_text(found: Interval | None, form: Form) -> str:
    """The interval in words; "" where there is none."""
    if found is None:
        return ""
    if found.high is None:
        return f"{written(found.low, form)} or more"
    return f"{written(found.low, form)} to {written(found.high, form)}"


def _print_symbols(metrics: Metrics) -> None:
    print_table(
        ("symbol", "bars", "trades", "profit", "win rate", "profit factor", "mean trade"),
        [
            (
                row.symbol,
                count(row.bars),
                count(row.trades),
                money(row.pnl_usd, signed=True),
                written(row.win_rate, "percent"),
                written(row.profit_factor, "ratio"),
                written(row.expectancy_fraction, "signed percent"),
            )
            for row in metrics.by_symbol
        ],
        numbers=("bars", "trades", "profit", "win rate", "profit factor", "mean trade"),
    )


def _print_reasons(metrics: Metrics) -> None:
    if not metrics.by_exit_reason:
        return
    print_table(
        ("reason of exit", "exit fills", "trades ended", "profit", "win rate"),
        [
            (
                row.reason,
                count(row.exit_fills),
                count(row.trades),
                money(row.pnl_usd, signed=True),
                written(row.win_rate, "percent"),
            )
            for row in metrics.by_exit_reason
        ],
        numbers=("exit fills", "trades ended", "profit", "win rate"),
    )


def show_runs(entries: Sequence[RunEntry]) -> None:
    """The list of kept runs, newest first."""
    print_table(
        ("run", "strategy", "from", "to", "trades", "return", "Sharpe", ""),
        [
            (
                entry.run_id,
                f"{entry.strategy} {entry.strategy_version}",
                entry.first_on.isoformat(),
                entry.last_on.isoformat(),
                count(entry.trades),
                written(entry.return_fraction, "signed percent"),
                written(entry.sharpe, "ratio"),
                "generated" if entry.generated else "",
            )
            for entry in entries
        ],
        numbers=("trades", "return", "Sharpe"),
    )


def show_comparison(compared: Comparison) -> None:
    """Runs side by side on standard output."""
    names = [run.name for run in compared.runs]
    for run in compared.runs:
        marks = ", generated data" if run.generated else ""
        marks += ", misleads" if run.misleading else ""
        say(f"{run.name}: {run.strategy} {run.strategy_version}, run {run.run_id}{marks}")
    say("")
    for against in compared.against_base:
        say(textwrap.fill(verdict_of(against), _WIDTH))
        if against.paired is not None:
            better = percent(against.paired.growth_better_share, 0)
            say(f"It returned more in {better} of redrawn histories of {against.paired.sessions} sessions.")
    say("")
    row_of = {row.metric: row for row in compared.metrics}
    rows: list[tuple[str, ...]] = []
    for group, entries in METRIC_GROUPS.items():
        rows.append((group.upper(), *("" for _ in range(2 * len(names) - 1))))
        for entry in entries:
            row = row_of[entry.field]
            changes = (
                DASH if difference is None else change_text(entry, difference)
                for difference in row.differences
            )
            rows.append((entry.name, *(entry.text(value) for value in row.values), *changes))
    changed = [f"{name} - A" for name in names[1:]]
    print_table(("", *names, *changed), rows, numbers=(*names, *changed))
    for title, differences in (
        ("config", compared.config),
        ("data", compared.data),
        ("code and versions", compared.identity),
    ):
        _print_differences(title, differences, names)
    for against in compared.against_base:
        found = against.trades
        say(
            f"trades: {count(found.same)} the same, {count(len(found.changed))} with another outcome, "
            f"{count(len(found.only_in_base))} only in A, {count(len(found.only_here))} only in {against.name}"
        )


def _print_differences(title: str, differences: tuple[Difference, ...], names: Sequence[str]) -> None:
    if not differences:
        say(f"{title}: no difference")
        return
    print_table(
        (title, *names),
        [
            (row.path, *(textwrap.shorten(value, 60, placeholder="...") for value in row.values))
            for row in differences
        ],
    )


def show_regimes(rows: Sequence[RegimeRow]) -> None:
    """A run by the market regime it traded in."""
    print_table(
        ("axis", "regime", "of the time", "trades", "profit", "win rate", "mean trade", "Sharpe"),
        [
            (
                row.axis,
                row.label.replace("_", " "),
                percent(row.bars_fraction),
                count(row.trades),
                money(row.pnl_usd, signed=True),
                written(row.win_rate, "percent"),
                written(row.expectancy_fraction, "signed percent"),
                written(row.sharpe, "ratio"),
            )
            for row in rows
        ],
        numbers=("of the time", "trades", "profit", "win rate", "mean trade", "Sharpe"),
        footnote="As the regime was known before the entry. A bad regime found here is no evidence for a gate: "
        "test it on other bars. A Sharpe ratio is told where one symbol is traded, on 20 bars or more.",
    )
