"""Months and years of a run's report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from magellan.backtest.breakdown import PeriodRow
from magellan.backtest.metrics import Metrics
from magellan.backtest.report.html import Column, Markup, card, element, table, tone
from magellan.backtest.report.metric_list import written
from magellan.backtest.report.words import DASH, count, money, number

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def months_and_years(metrics: Metrics) -> Markup:
    """Returns by month and by year."""
    return element(
        "div",
        [
            card("Returns by month", heat_map(metrics.by_month, metrics.by_year)),
            card("By year", _years(metrics.by_year)),
        ],
    )  # fmt: skip


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
