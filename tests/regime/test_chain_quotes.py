"""Option quotes from a user's file: what was known at each bar, and what is wrong with a file, by row."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from magellan.errors import FixInput
from magellan.regime.chain_quotes import QUOTED, ChainQuotes, chain_over
from magellan.regime.generated_chain import generated_chain
from magellan.regime.quality.scenario import Scenario
from magellan.trading.bar import Bars, instant, nanoseconds
from magellan.trading.timeframe import DAY_NS, MINUTE_NS, Timeframe
from magellan.usecases.read_option_chain import read_option_chain
from magellan.wiring.market import read_foreign_bars

Made = Callable[..., Scenario]
HEAD = "quoted_at,expires_on,strike,call_price,put_price,call_iv,put_iv,call_interest,put_interest"
AT = "2025-06-30T14:31:00Z"


def bars_at(first_at: datetime, closes: list[float], timeframe: str = "1Min") -> Bars:
    frame = Timeframe.parse(timeframe)
    price = np.array(closes)
    return Bars(
        symbol="X",
        timeframe=frame,
        opened_at_ns=nanoseconds(first_at) + frame.span_ns * np.arange(len(closes)),
        open=price, high=price, low=price, close=price, volume=np.ones(len(closes)),
    )  # fmt: skip


def quotes_of(text: str, tmp_path: Path) -> ChainQuotes:
    path = tmp_path / "quotes.csv"
    path.write_text(f"{HEAD}\n{text}\n")
    return read_option_chain(path, read_foreign_bars)


def strikes_at(at: str, expires_on: str, *strikes: float, price: float = 1.0) -> str:
    return "\n".join(f"{at},{expires_on},{strike},{price},{price},0.2,0.2,10,10" for strike in strikes)


def test_a_bar_knows_the_newest_quotes_that_were_there_at_its_close(tmp_path: Path) -> None:
    text = "\n".join(
        strikes_at(f"2025-06-30T14:{minute}:00Z", "2025-07-18", 100.0, price=float(minute))
        for minute in (31, 33)
    )
    bars = bars_at(datetime(2025, 6, 30, 14, 29, tzinfo=UTC), [100.0] * 5)  # they close at 14:30 to 14:34
    chain = chain_over(bars, quotes_of(text, tmp_path), strikes=1, expiries=1)
    np.testing.assert_array_equal(chain.call_price[:, 0, 0], [np.nan, 31.0, 31.0, 33.0, 33.0])
    assert chain.source == "quotes.csv"


def test_quotes_that_are_a_day_old_are_unknown(tmp_path: Path) -> None:
    quotes = quotes_of(strikes_at(AT, "2025-07-18", 100.0), tmp_path)
    bars = bars_at(datetime(2025, 7, 1, 14, 29, tzinfo=UTC), [100.0] * 2)  # they close at 14:30 and 14:31
    chain = chain_over(bars, quotes, strikes=1, expiries=1)
    np.testing.assert_array_equal(np.isnan(chain.strike[:, 0, 0]), [False, True])


def test_the_strike_nearest_the_close_stands_in_the_middle(tmp_path: Path) -> None:
    quotes = quotes_of(strikes_at(AT, "2025-07-18", 110.0, 90.0, 100.0, 120.0), tmp_path)
    bars = bars_at(datetime(2025, 6, 30, 14, 31, tzinfo=UTC), [104.0, 106.0, 50.0, 500.0])
    chain = chain_over(bars, quotes, strikes=3, expiries=2)
    np.testing.assert_array_equal(
        chain.strike[:, 0],
        [[90.0, 100.0, 110.0], [100.0, 110.0, 120.0], [np.nan, 90.0, 100.0], [110.0, 120.0, np.nan]],
    )
    assert chain.years.shape == (4, 1)  # there is one expiry


def test_expiries_that_are_over_are_left_out_and_the_nearest_stands_first(tmp_path: Path) -> None:
    at = "2025-06-30T19:59:00Z"
    text = "\n".join(strikes_at(at, on, 100.0) for on in ("2025-07-30", "2025-06-30", "2025-07-07"))
    bars = bars_at(datetime(2025, 6, 30, 19, 58, tzinfo=UTC), [100.0, 100.0])  # 15:59 and 16:00 in New York
    years = chain_over(bars, quotes_of(text, tmp_path), strikes=1, expiries=3).years
    minute = MINUTE_NS / (365 * DAY_NS)
    np.testing.assert_allclose(years[0], [minute, 7 / 365 + minute, 30 / 365 + minute])
    np.testing.assert_allclose(years[1], [7 / 365, 30 / 365, np.nan])


def test_a_chain_that_was_written_and_read_again_is_the_same(made: Made, tmp_path: Path) -> None:
    bars = made("eq3", 3, 40).bars
    before = generated_chain(bars)
    _, expiries, strikes = before.strike.shape
    on = (bars.opened_at_ns // DAY_NS)[:, None] + np.array([7, 30, 90])
    table = {
        "quoted_at": pa.array(np.repeat(bars.opened_at_ns + DAY_NS, expiries * strikes), pa.timestamp("ns", "UTC")),
        "expires_on": pa.array(np.repeat(on.astype(np.int32), strikes), pa.date32()),
        "strike": before.strike.ravel(),
        **{name: getattr(before, name).ravel() for name in QUOTED},
    }  # fmt: skip
    path = tmp_path / "chain.parquet"
    pq.write_table(pa.table(table), path)
    after = chain_over(bars, read_option_chain(path, read_foreign_bars))
    for name in ("strike", *QUOTED):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name), err_msg=name)
    np.testing.assert_allclose(after.years, before.years, atol=1.0 / 365.0)


def test_columns_of_numbers_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(f"quoted_at,expires_on,strike,call_iv\n{AT},2025-07-18,100,\n{AT},2025-07-18,105,0.2\n")
    quotes = read_option_chain(path, read_foreign_bars)
    np.testing.assert_array_equal(quotes.call_iv, [np.nan, 0.2])
    assert np.isnan(quotes.put_price).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}\n", "holds no quote"),
        (f"{HEAD.replace('strike', 'srike')}\n{AT},2025-07-18,1,1,1,1,1,1,1\n", "no column 'strike'"),
        (f"{HEAD},delta\n{AT},2025-07-18,1,1,1,1,1,1,1,1\n", "no column is called 'delta'"),
        (f"{HEAD}\n2025-06-30 14:31,2025-07-18,1,1,1,1,1,1,1\n", "'quoted_at': times without a zone"),
        (f"{HEAD}\n{AT},soon,1,1,1,1,1,1,1\n", "'expires_on': text, not dates"),
        (f"{HEAD}\n{AT},2025-07-18T10:00,1,1,1,1,1,1,1\n", "line 2: expires_on is a time"),
        (f"{HEAD}\n{AT},2025-07-18,0,1,1,1,1,1,1\n", "line 2: the strike is not above zero"),
        (f"{HEAD}\n{AT},2025-07-18,,1,1,1,1,1,1\n{AT},2025-07-18,5,1,1,1,1,1,1\n", "line 2: strike is missing"),
        (f"{HEAD}\n{AT},2025-07-18,5,1,-1,1,1,1,1\n", "line 2: put_price is below zero"),
        (f"{HEAD}\n{AT},2025-07-18,5,1,1,1,1,1,1\n{AT},2025-07-18,5,1,1,1,1,1,1\n", "line 3: that strike"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_column_or_row(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(text)
    with pytest.raises(FixInput) as refused:
        read_option_chain(path, read_foreign_bars)
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(FixInput, match=r"none\.csv cannot be read"):
        read_option_chain(tmp_path / "none.csv", read_foreign_bars)


def test_the_commands_work_on_a_chain_of_the_users_own(
    magellan: Callable[..., subprocess.CompletedProcess[str]], made: Made, tmp_path: Path
) -> None:
    path = tmp_path / "quotes.csv"
    newest = made("vol2", 0).bars
    at = instant(int(newest.opened_at_ns[-1]) + DAY_NS).isoformat()
    around = newest.close[-1] * np.linspace(0.9, 1.1, 7)
    path.write_text(f"{HEAD}\n{strikes_at(at, '2099-01-16', *around.tolist())}\n")
    shown = magellan("regime", "show", "--generated", "vol2", "--options", path, "--json")
    assert shown.returncode == 0, shown.stderr
    missing = {each["component"]: each["missing"] for each in json.loads(shown.stdout)["evidence"]}
    assert missing["iv_skew"] == ""
    assert missing["iv_surface"] == "the chain has one expiry"
    both = magellan("regime", "analyze", "--generated", "vol2", "--options", path, "--generated-options")
    assert both.returncode == 1
    assert "two chains" in both.stderr
