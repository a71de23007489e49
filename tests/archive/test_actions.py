"""The corporate-action table as a file."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.archive.actions import COLUMNS, CorporateActionTable, parsed, read_at, written, written_at
from magellan.errors import FixInput
from magellan.trading.corporate_action import CashDividend, ConfirmedMove, Split

HEADER = ",".join(COLUMNS)
SYMBOLS = st.sampled_from(["TSLA", "BRK.B", "BTC/USD"])
INSTANTS = st.datetimes(datetime(1995, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20
).filter(str.strip)
ACTIONS = st.one_of(
    st.builds(
        Split,
        symbol=SYMBOLS,
        effective_at=INSTANTS,
        new_shares=st.integers(1, 50),
        old_shares=st.integers(51, 100),
    ),
    st.builds(
        CashDividend,
        symbol=SYMBOLS,
        ex_at=INSTANTS,
        amount_usd=st.decimals("0.0001", "100", places=4),
    ),
    st.builds(ConfirmedMove, symbol=SYMBOLS, at=INSTANTS, reason=WORDS, confirmed_by=WORDS),
)


@given(
    actions=st.lists(ACTIONS, max_size=6, unique_by=lambda action: (action.symbol, type(action), str(action)))
)
def test_a_table_reads_back_as_it_was_written(actions: list[Split | CashDividend | ConfirmedMove]) -> None:
    table = CorporateActionTable()
    for action in actions:
        try:
            table = table.with_action(action)
        except FixInput:
            continue  # two of a kind at one instant, which the table refuses by design
    assert parsed(written(table), name="corporate_actions.csv") == table


@given(at=INSTANTS)
def test_an_instant_reads_back_as_it_was_written(at: datetime) -> None:
    assert read_at(written_at(at)) == at


def test_a_date_means_its_midnight_on_the_exchange() -> None:
    assert read_at("2024-06-10") == datetime(2024, 6, 10, 4, tzinfo=UTC)
    assert read_at("2024-12-10") == datetime(2024, 12, 10, 5, tzinfo=UTC)
    assert written_at(datetime(2024, 6, 10, 4, tzinfo=UTC)) == "2024-06-10"


def test_a_table_is_ordered_by_symbol_and_time_whatever_order_the_rows_have() -> None:
    table = parsed(
        f"{HEADER}\nsplit,TSLA,2022-08-25,3,1,,,\nsplit,AAPL,2020-08-31,4,1,,,\nsplit,TSLA,2020-08-31,5,1,,,\n",
        name="x.csv",
    )
    assert [(action.symbol, action.effective_at.year) for action in table.actions] == [
        ("AAPL", 2020),
        ("TSLA", 2020),
        ("TSLA", 2022),
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("merger,TSLA,2022-08-25,3,1,,,", "line 2, column 'kind': 'merger'"),
        ("split,tsla,2022-08-25,3,1,,,", "line 2, column 'symbol': 'tsla'"),
        ("split,TSLA,2022-13-25,3,1,,,", "line 2, column 'at': '2022-13-25'"),
        ("split,TSLA,2022-08-25T08:00,3,1,,,", "line 2, column 'at': .* has no zone"),
        ("split,TSLA,2022-08-25,3.5,1,,,", "line 2, column 'new': '3.5' is not a whole number"),
        ("split,TSLA,2022-08-25,3,,,,", "line 2, column 'old': '' is not a whole number"),
        ("split,TSLA,2022-08-25,3,3,,,", "line 2, column 'new': .* is none"),
        ("split,TSLA,2022-08-25,0,1,,,", "line 2, column 'new': .* is none"),
        ("split,TSLA,2022-08-25,3,1,0.5,,", "line 2, column 'amount_usd': a split has none"),
        ("split,TSLA,2022-08-25,3,1,,", "line 2: 7 fields, not 8"),
        ("dividend,AAPL,2024-02-09,,,nan,,", "line 2, column 'amount_usd': 'nan' is not an amount"),
        ("dividend,AAPL,2024-02-09,,,-1,,", "line 2, column 'amount_usd': .* dividend of -1"),
        ("dividend,AAPL,2024-02-09,,,,,", "line 2, column 'amount_usd': '' is not an amount"),
        ("confirmed-move,SAVA,2024-11-25,,,,,jane", "line 2, column 'reason'"),
        ("confirmed-move,SAVA,2024-11-25,,,,trial failed,", "line 2, column 'reason'"),
        ('split,"TSLA', "line 2: unexpected end of data"),
    ],
)
def test_a_wrong_cell_is_refused_by_line_and_column(row: str, says: str) -> None:
    with pytest.raises(FixInput, match=f"^corporate_actions.csv, {says}"):
        parsed(f"{HEADER}\n{row}\n", name="corporate_actions.csv")


@pytest.mark.parametrize("text", ["", "kind,symbol\n", HEADER.upper() + "\n", f"{HEADER},note\n"])
def test_a_file_with_other_columns_is_refused(text: str) -> None:
    with pytest.raises(FixInput, match=r"line 1: the columns are"):
        parsed(text, name="x.csv")


def test_the_same_action_twice_is_refused_naming_both_lines() -> None:
    row = "split,TSLA,2022-08-25,3,1,,,"
    with pytest.raises(FixInput, match="line 3: line 2 already holds TSLA split 2022-08-25, 3 for 1"):
        parsed(f"{HEADER}\n{row}\n{row}\n", name="x.csv")


def test_removing_what_is_not_there_says_what_is() -> None:
    at = datetime(2022, 8, 25, 4, tzinfo=UTC)
    table = CorporateActionTable((Split(symbol="TSLA", effective_at=at, new_shares=3, old_shares=1),))
    with pytest.raises(FixInput, match="of TSLA it holds: TSLA split 2022-08-25, 3 for 1"):
        table.without("split", "TSLA", at + timedelta(days=1))
    assert table.without("split", "TSLA", at) == CorporateActionTable()


def test_a_dividend_keeps_every_digit() -> None:
    text = f"{HEADER}\ndividend,AAPL,2024-02-09,,,0.2400001,,\n"
    table = parsed(text, name="x.csv")
    assert table.actions == (
        CashDividend(
            symbol="AAPL", ex_at=datetime(2024, 2, 9, 5, tzinfo=UTC), amount_usd=Decimal("0.2400001")
        ),
    )
    assert written(table) == text
