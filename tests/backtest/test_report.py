"""The page of a run: it opens anywhere, says what it is, hides nothing, and holds the numbers it draws."""

import dataclasses
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.backtest.confidence import confidence_of
from magellan.backtest.metrics import Metrics, metrics_of
from magellan.backtest.report.assumptions import assumptions_of
from magellan.backtest.report.figures import (
    CANDLES_MAX,
    TRADES_MAX,
    candles_wanted,
    distribution,
    handy,
    price_figure,
    run_figures,
    shown_trades,
    telling_rows,
)
from magellan.backtest.report.html import Column, element, table
from magellan.backtest.report.metric_list import METRICS, written
from magellan.backtest.report.months import heat_map
from magellan.backtest.report.page import plotly_script, script_json
from magellan.backtest.report.run_report import run_report
from magellan.backtest.report.summary import summary_of
from magellan.backtest.report.words import many, money, number, percent
from magellan.backtest.result import Trade
from magellan.trading.bar import Bars
from magellan.trading.session import SessionClock
from magellan.trading.timeframe import MINUTE, MINUTE_NS
from magellan.workspace.config import StrategyConfig

ROOT = Path(__file__).parents[2]


def page_of(result) -> str:
    return run_report(result, metrics_of(result), confidence_of(result))


def without_plotly(page: str) -> str:
    return page.replace(plotly_script(), "")


def text_of(page: str) -> str:
    """What a reader sees without JavaScript."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", without_plotly(page), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).replace("\N{NO-BREAK SPACE}", " ")


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])


# One file, offline, the same bytes ----------------------------------------------------------------------------


def test_a_report_fetches_nothing(random_run) -> None:
    page = without_plotly(page_of(random_run(1)))
    assert re.findall(r"https?:|//[a-z]|\bsrc=|@import|url\(", page) == []
    assert "default-src 'none'" in page  # and the browser is told so


def test_the_same_run_gives_the_same_bytes(random_run) -> None:
    assert page_of(random_run(4)) == page_of(random_run(4))


def test_plotly_is_in_the_page_once(random_run) -> None:
    assert page_of(random_run(1)).count(plotly_script()) == 1


def test_text_from_outside_stays_text(run_of, order) -> None:
    evil = "</script><script>alert(1)</script>"
    result = run_of({"AAA": [100.0, 110.0]}, [order(symbol="AAA", row=0, units=1.0, exits=((1, 1.0, 2),))])
    trades = dataclasses.replace(result.trades, make_reasons=lambda: ((evil,),))
    manifest = dataclasses.replace(result.manifest, strategy=evil)
    page = page_of(
        dataclasses.replace(result, make_trades=lambda: trades, manifest=manifest, misleading=(evil,))
    )
    assert "<script>alert" not in page
    assert data_of(page)["trades"]["reasons"] == [evil]
    assert evil in text_of(page).replace("&lt;", "<").replace("&gt;", ">")


def test_script_json_cannot_end_its_element() -> None:
    text = script_json({"a": "</script>\u2028"})
    assert "<" not in text and "\u2028" not in text
    assert json.loads(text) == {"a": "</script>\u2028"}


def test_a_report_of_many_minutes_stays_below_six_megabytes(random_run) -> None:
    symbols = tuple(f"S{at}" for at in range(8))
    result = random_run(2, bars=40_000, symbols=symbols, trades=600, timeframe="1Min", cash_usd=100_000.0)
    assert len(page_of(result).encode()) < 6_000_000


def test_a_browser_draws_every_chart_without_an_error(random_run, tmp_path: Path) -> None:
    browser = next(
        (found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None
    )
    if browser is None:
        pytest.skip("no Chromium on this machine")
    (tmp_path / "report.html").write_text(page_of(random_run(3, symbols=("AAA", "BBB", "CCC"))))
    run = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--no-first-run", "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=10000", "--dump-dom",
            (tmp_path / "report.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert 'data-drawn="yes"' in run.stdout, run.stderr[-2000:]
    assert [line for line in run.stderr.splitlines() if ":CONSOLE" in line] == []
    for chart in ("equity-chart", "price-chart", "distribution-chart", "excursion-chart"):
        drawn = re.search(rf'<div id="{chart}".*?<svg class="main-svg"', run.stdout, re.DOTALL)
        assert drawn is not None, chart
    assert run.stdout.count("<tr data-trade=") == 20


# What it says -------------------------------------------------------------------------------------------------


def test_incident_9_the_report_prints_effective_dates_and_bar_count(random_run) -> None:
    text = text_of(page_of(random_run(1, bars=45)))
    assert "1Day bars · 2 Jan 2024 to 15 Feb 2024 · 45 bars" in text
    assert "First bar opened 2024-01-02 00:00 UTC" in text
    assert "Last bar closed 2024-02-16 00:00 UTC" in text


def test_the_report_names_the_run_and_the_checksum_of_every_set(random_run) -> None:
    result = random_run(1)
    text = text_of(page_of(result))
    assert result.manifest.run_id in text
    for used in result.manifest.data:
        assert used.sha256 in text and used.set_id in text


def test_generated_data_are_announced_loudly(random_run) -> None:
    assert "Generated data These bars were made by a random generator" in text_of(
        page_of(random_run(1, generated=True))
    )
    assert "random generator" not in text_of(page_of(random_run(1)))


def test_misleading_settings_are_announced_loudly(random_run) -> None:
    text = text_of(page_of(random_run(1, misleading=("data.clock utc: not the exchange's",))))
    assert "These results mislead" in text and "data.clock utc: not the exchange&#x27;s" in text
    assert "mislead " not in text_of(page_of(random_run(1)))


def test_incident_36_what_is_missing_is_a_dash_with_its_reason(run_of) -> None:
    text = text_of(page_of(run_of({"AAA": [100.0, 101.0, 102.0]})))
    assert "No trade was made." in text
    assert "Win rate share of trades with a profit after costs – (no trade was made)" in text
    assert "Sharpe ratio of returns per bar, per year – (returns do not vary)" in text


def test_entries_that_did_not_happen_are_listed(random_run) -> None:
    text = text_of(page_of(random_run(1, blocked={"open positions at their limit": 1234})))
    assert "open positions at their limit 1,234" in text


def test_a_page_that_leaves_trades_out_says_so(random_run, monkeypatch) -> None:
    monkeypatch.setattr("magellan.backtest.report.figures.TRADES_MAX", 5)
    monkeypatch.setattr("magellan.backtest.report.trade_tables.TRADES_MAX", 5)
    result = random_run(1, trades=20)
    page = page_of(result)
    assert "the 5 trades with the largest profits and losses of 20" in text_of(page)
    kept = data_of(page)["trades"]["pnl"]
    assert sorted(map(abs, kept)) == sorted(np.abs(result.trades.pnl_usd).round(4))[-5:]


def test_the_csv_of_the_page_has_the_columns_of_the_kept_file() -> None:
    script = (ROOT / "src/magellan/backtest/report/report.js").read_text()
    assert f'"{",".join(field.name for field in dataclasses.fields(Trade))}"' in script


def test_every_metric_of_a_run_is_in_the_list_and_every_entry_is_a_metric() -> None:
    apart = {
        "timeframe", "bars", "sessions", "first_at", "last_at", "first_on", "last_on", "periods_per_year",
        "cash_start_usd", "drawdown_deepest", "drawdown_longest", "by_symbol", "by_year", "by_month",
        "by_exit_reason", "missing",
    }  # fmt: skip
    assert {entry.field for entry in METRICS} == {field.name for field in dataclasses.fields(Metrics)} - apart


def test_every_metric_has_its_formula_in_the_glossary() -> None:
    glossary = (ROOT / "docs/glossary.md").read_text()
    assert [entry.field for entry in METRICS if f"`{entry.field}`" not in glossary] == []


# The summary --------------------------------------------------------------------------------------------------


def summary(result):
    return summary_of(metrics_of(result), confidence_of(result))


def test_the_summary_says_what_was_made_and_what_speaks_against_it(run_of, order) -> None:
    closes = [100.0 + row for row in range(40)]
    result = run_of({"AAA": closes}, [order(symbol="AAA", row=0, units=10.0, exits=((5, 10.0, 1),))])
    said = summary(result)
    assert said.headline.replace("\N{NO-BREAK SPACE}", " ") == "Gained 0.50 % in 1 trade."
    assert said.cautions[0] == "1 trade: fewer than 30 rarely tell skill from luck."


def test_a_run_that_is_too_good_is_doubted(run_of, order) -> None:
    closes = [100.0 * 1.01**row + row % 3 for row in range(80)]
    orders = [order(symbol="AAA", row=at, units=10.0, exits=((at + 5, 10.0, 1),)) for at in range(0, 72, 6)]
    doubts = " ".join(summary(run_of({"AAA": closes}, orders)).cautions)
    assert "is too good" in doubts and "winning trades are too many" in doubts


def test_a_run_that_hangs_on_one_symbol_says_so(run_of, order) -> None:
    closes = {name: [100.0, 100.0 + gain] for name, gain in (("AAA", 50.0), ("BBB", 1.0), ("CCC", 1.0))}
    orders = [order(symbol=name, row=0, units=1.0, exits=((1, 1.0, 1),)) for name in closes]
    doubts = summary(run_of(closes, orders)).cautions
    assert "One symbol brought 96 % of the profit." in [
        doubt.replace("\N{NO-BREAK SPACE}", " ") for doubt in doubts
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (percent(0.1234), "12.3 %"),
        (percent(-0.00001, 2, signed=True), "0.00 %"),
        (percent(0.05, signed=True), "+5.0 %"),
        (money(-1234.5), "−$1,234"),
        (money(0.0, signed=True), "$0"),
        (number(None), "–"),
        (number(-0.001), "0.00"),
        (many(1, "trade"), "1 trade"),
        (many(2000, "trade"), "2,000 trades"),
        (written(0.0123, "percent"), "1.23 %"),
        (written(1234.5, "signed usd"), "+$1,234"),
        (written(None, "ratio"), "–"),
    ],
)
def test_numbers_are_written_for_people(said: str, expected: str) -> None:
    assert said.replace("\N{NO-BREAK SPACE}", " ") == expected


# Assumptions --------------------------------------------------------------------------------------------------

PLAIN = {"strategy": {"name": "x", "version": "1.0.0", "kind": "trend"}, "symbols": ["AAA"]}


def assumed(**sections) -> dict[str, bool]:
    config = StrategyConfig.model_validate(PLAIN | sections)
    return {each.text.replace("\N{NO-BREAK SPACE}", " "): each.flatters for each in assumptions_of(config)}


@pytest.mark.parametrize(
    ("sections", "text", "flatters"),
    [
        ({}, "Market orders fill at the next bar's open.", False),
        ({}, "Fills pay neither slippage nor spread.", True),
        ({}, "No commission.", True),
        ({}, "Fills take whatever they want, however little was traded.", True),
        (
            {"execution": {"slippage_bps": 5.0, "half_spread_bps": 0.5}},
            "Market and stop fills pay 5 basis points of slippage and 0.5 basis points of half spread on each side.",
            False,
        ),
        ({"execution": {"commission_bps": 1.5}}, "Commission: 1.5 basis points of the notional.", False),
        (
            {"execution": {"stop_fill": "at-level"}},
            "A stop fills at its level even when the bar opens beyond it.",
            True,
        ),
        (
            {"execution": {"volume_share_max": 0.025}},
            "Fills take at most 2.50 % of a bar's volume; the rest waits.",
            False,
        ),
        (
            {"data": {"clock": "utc"}},
            "Dates and times of day are read from UTC, not from the exchange's clock.",
            True,
        ),
        ({"account": {"kind": "margin"}}, "Borrowing shares for short positions is free.", True),
        (
            {"limits": {"trades_per_day_max": 10, "loss_per_day_fraction_max": 0.1}},
            "No more entries beyond 10 trades a day, a loss of 10.0 % a day. Exits are never held back.",
            False,
        ),
        (
            {"limits": {"trades_counted_at": "exit"}},
            "A trade counts towards the day's limit when it ends, and not at all when targets end it.",
            True,
        ),
    ],
)
def test_the_config_is_told_as_assumptions(sections, text: str, flatters: bool) -> None:
    assert assumed(**sections)[text] is flatters


# Figures ------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=300), st.integers(8, 60))
def test_a_thinned_line_keeps_its_ends_its_top_and_its_bottom(values: list[float], most: int) -> None:
    column = np.array(values)
    rows = telling_rows(column, most)
    assert rows[0] == 0 and rows[-1] == len(column) - 1
    assert (np.diff(rows) > 0).all()
    assert column[rows].min() == column.min() and column[rows].max() == column.max()
    assert len(rows) <= max(most, len(column) if len(column) <= most else 0)


def bars_of(closes: list[float]) -> Bars:
    close = np.array(closes)
    open_ = np.concatenate((close[:1], close[:-1]))
    n = len(close)
    return Bars(
        symbol="AAA",
        timeframe=MINUTE,
        opened_at_ns=np.arange(n, dtype=np.int64) * MINUTE_NS,
        open=open_,
        high=np.maximum(open_, close) * 1.01,
        low=np.minimum(open_, close) * 0.99,
        close=close,
        volume=np.ones(n),
    )


@given(
    st.lists(st.floats(0.05, 5000.0).map(lambda price: round(price, 2)), min_size=1, max_size=80), st.data()
)
def test_candles_come_out_of_the_page_as_they_went_in(closes: list[float], data) -> None:
    bars = bars_of(closes)
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=len(closes), max_size=len(closes))))
    figure = price_figure(bars, wanted, SessionClock.UTC)
    rows = []
    for run in figure["candles"]:
        before, minutes = 0, 0
        for at, step in enumerate(run["at"]):
            minutes += step
            open_ = before + run["open"][at]
            close = before = open_ + run["close"][at]
            row = run["row"] + at
            rows.append(row)
            assert minutes * MINUTE_NS == bars.opened_at_ns[row]
            high, low = max(open_, close) + run["high"][at], min(open_, close) - run["low"][at]
            for name, value in (("open", open_), ("high", high), ("low", low), ("close", close)):
                assert value / figure["scale"] == pytest.approx(
                    getattr(bars, name)[row], abs=0.51 / figure["scale"]
                )
    assert rows == np.flatnonzero(wanted).tolist()
    assert sum(figure["row"][:1]) == 0 or figure["bars"] > 1
    assert sum(figure["close"]) / figure["scale"] == pytest.approx(closes[-1], abs=0.51 / figure["scale"])


def test_every_entry_and_exit_that_is_shown_lies_among_the_candles(random_run) -> None:
    result = random_run(5, bars=20_000, symbols=("AAA", "BBB"), trades=60, timeframe="1Min")
    kept = shown_trades(result)
    wanted = candles_wanted(result, kept)
    assert wanted[result.trades.entry_row].all() and wanted[result.trades.exit_row].all()
    assert wanted.sum() < len(result.market) / 2


def test_candles_are_bounded_however_many_trades_there_are(random_run) -> None:
    result = random_run(5, bars=60_000, symbols=("AAA", "BBB"), trades=6000, timeframe="1Min")
    kept = shown_trades(result)
    assert len(kept) == TRADES_MAX
    longest = 400
    assert candles_wanted(result, kept).sum() <= CANDLES_MAX + longest


@given(st.lists(st.floats(-0.9, 3.0), min_size=1, max_size=200))
def test_every_trade_is_in_one_bin_and_zero_is_a_boundary(returns: list[float]) -> None:
    figure = distribution(np.array(returns))
    assert figure is not None
    assert sum(figure["counts"]) == len(returns)
    assert min(abs(edge) for edge in figure["edges"]) < 1e-9
    assert len(figure["counts"]) == len(figure["edges"]) - 1 <= 70


@given(st.floats(1e-6, 1e6))
def test_a_handy_number_is_at_least_what_was_asked_and_not_much_more(width: float) -> None:
    assert width * (1 - 1e-9) <= handy(width) <= 2.5 * width
    assert round(handy(width) / 10 ** math.floor(math.log10(handy(width)) + 1e-9), 6) in (1, 2, 2.5, 5, 10)


def test_times_are_those_of_the_exchanges_clock(random_run) -> None:
    result = random_run(1, bars=400, timeframe="1Min", trades=2)
    first = run_figures(result, SessionClock.EXCHANGE)["prices"][0]["candles"][0]["at"][0]
    assert divmod(first, 1440)[1] == 9 * 60 + 30
    assert run_figures(result, SessionClock.UTC)["prices"][0]["candles"][0]["at"][0] % 1440 == 14 * 60 + 30


def test_the_heat_map_holds_every_month_with_its_sign(random_run) -> None:
    metrics = metrics_of(random_run(3, bars=400))
    cells = re.findall(
        r'<td class="(up|down)"[^>]*>([^<]*)</td>', heat_map(metrics.by_month, metrics.by_year)
    )
    assert len(cells) == sum(1 for row in metrics.by_month if row.return_fraction)
    assert all((look == "up") == (text[0] != "−") for look, text in cells if text not in ("0.0",))


# Markup -------------------------------------------------------------------------------------------------------


@given(st.text())
def test_text_is_escaped_in_elements_and_attributes(text: str) -> None:
    written_ = element("p", text, title=text)
    inside = re.sub(r"&(amp|lt|gt|quot|#x27);", "", written_)
    assert inside.count("<") == 2 and inside.count('"') == 2


def test_a_table_refuses_rows_of_another_width() -> None:
    with pytest.raises(AssertionError, match="1 cells in a row of 2 columns"):
        table((Column(heading="a"), Column(heading="b")), [["x"]])


@settings(max_examples=5)
@given(seed=st.integers(0, 50), bars=st.integers(1, 30))
def test_every_run_has_a_page(random_run, seed: int, bars: int) -> None:
    page_of(random_run(seed, bars=bars, trades=3))


def test_every_assumption_names_a_heading_that_exists() -> None:
    """docs/assumptions.md says where each misleads."""
    rich = PLAIN | {
        "account": {"kind": "margin"},
        "execution": {"impact": 0.1, "unexplained_jumps": "hold"},
        "instruments": {"AAA": {"commission_bps": 1.0}},
    }
    headings = {each.heading for each in assumptions_of(StrategyConfig.model_validate(rich))}
    text = (ROOT / "docs/assumptions.md").read_text()
    assert headings - set(re.findall(r"^#+ (.+)$", text, re.MULTILINE)) == set()
