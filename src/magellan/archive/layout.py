"""Layouts: which column is what, and the layouts whose times we can read though they carry no zone."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.archive.foreign_table import ForeignColumn, ForeignTable, Kind
from magellan.errors import FixInput
from magellan.trading.bar import PRICE_COLUMNS
from magellan.trading.session import EXCHANGE_ZONE

# The names under which vendors deliver each column, in lower case, without brackets, blanks as underscores.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "time": ("timestamp", "datetime", "date_time", "date", "time", "ts", "t", "window_start", "opened_at"),
    "open": ("open", "o", "open_price"),
    "high": ("high", "h", "max", "high_price"),
    "low": ("low", "l", "min", "low_price"),
    "close": ("close", "c", "last", "close_price", "close/last"),
    "volume": ("volume", "vol", "v"),
    "adjusted close": ("adj_close", "adjclose", "adjusted_close", "adj._close"),
    "symbol": ("symbol", "ticker", "sym"),
}
# Columns that bars do not keep, and that nobody misses without being told.
NOT_KEPT = frozenset(
    [
        *("vwap", "vw", "trade_count", "transactions", "trades", "n", "count", "otc"),  # Alpaca, Polygon
        *("dividends", "stock_splits", "capital_gains"),  # Yahoo
        *("open_interest", "openint", "per", "period"),  # Stooq and others
        *(
            "change",
            "changepercent",
            "changeovertime",
            "unadjustedvolume",
            "label",
        ),  # Financial Modeling Prep
    ]
)
_UNNAMED_INDEX = "__index_level_0__"  # how pandas stores an index without a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A layout that we know. Its times carry no zone, but whoever writes it has always meant the same one."""

    name: str
    time_column: str
    others: frozenset[str]  # columns beside the time and open to volume
    timezone: str  # of intraday times; daily ones are dates
    calendar: str  # of the markets that come in this layout


LAYOUTS = (
    Layout(
        name="stock bars with trade count",
        time_column="timestamp",
        others=frozenset({"trade_count", "vwap"}),
        timezone="UTC",
        calendar="XNYS",
    ),
    Layout(
        name="plain stock bars",
        time_column="timestamp",
        others=frozenset(),
        timezone="UTC",
        calendar="XNYS",
    ),
    Layout(
        name="futures by trade date",
        time_column="date",
        others=frozenset(),
        timezone=EXCHANGE_ZONE.key,
        calendar="CMES",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roles:
    """Which column of a table plays which part."""

    times: tuple[ForeignColumn, ...]  # one; or a date and a time of day
    prices_and_volume: dict[str, ForeignColumn]
    symbol: ForeignColumn | None
    adjusted_close: ForeignColumn | None
    not_kept: tuple[str, ...]  # as the file spells them
    layout: Layout | None


def roles_of(table: ForeignTable, *, ignored: frozenset[str] = frozenset()) -> Roles:
    """Find open to volume, time and symbol among the columns.

    ignored: names of columns to pass over, as the file spells them.
    Raises: FixInput when the file holds no bars, when two columns could be the same thing, or when there is a
    column that we do not know: it might change what the others mean.
    """
    columns = tuple(column for column in table.columns if column.name not in ignored)
    found: dict[str, list[ForeignColumn]] = {role: [] for role in SYNONYMS}
    not_kept, unknown = [], []
    for column in columns:
        role = _role(column)
        if role is not None:
            found[role].append(column)
        elif plain(column.name) in NOT_KEPT:
            not_kept.append(column.name)
        else:
            unknown.append(column.name)
    _must_be_bars(table, found, unknown)
    for role in (*PRICE_COLUMNS, "volume", "symbol", "adjusted close"):
        if len(found[role]) > 1:
            names = ", ".join(column.name for column in found[role])
            raise FixInput(
                f"{table.file_name}: the columns {names} could each be the {role}",
                next_step="name the wrong ones with --ignore",
            )
    if unknown:
        raise FixInput(
            f"{table.file_name}: unknown column{'s' * (len(unknown) > 1)} {', '.join(unknown)}",
            next_step="if they do not change what open to volume mean, pass over them with --ignore NAME",
        )
    return Roles(
        times=_time_columns(table, found["time"]),
        prices_and_volume={role: found[role][0] for role in (*PRICE_COLUMNS, "volume")},
        symbol=next(iter(found["symbol"]), None),
        adjusted_close=next(iter(found["adjusted close"]), None),
        not_kept=tuple(not_kept),
        layout=_layout(table, columns),
    )


def plain(name: str) -> str:
    """A column's name without case, brackets and blanks: '<Adj Close>' is adj_close."""
    return "_".join(name.strip().strip("<>[]()").lower().split())


def _role(column: ForeignColumn) -> str | None:
    if column.name == _UNNAMED_INDEX and column.kind in (Kind.WALL, Kind.INSTANT, Kind.DATE):
        return "time"
    name = plain(column.name)
    return next((role for role, names in SYNONYMS.items() if name in names), None)


def _must_be_bars(table: ForeignTable, found: dict[str, list[ForeignColumn]], unknown: list[str]) -> None:
    missing = [role for role in (*PRICE_COLUMNS, "volume") if not found[role]]
    if not missing:
        return
    if len(missing) == 5 and not _looks_like_data(table):
        looks_like = ""
        if any("eps" in name.lower() or "revenue" in name.lower() for name in unknown):
            looks_like = "; they look like earnings events, which have no place among bars"
        names = ", ".join(column.name for column in table.columns) or "none"
        raise NotBars(
            f"{table.file_name} holds no bars: its columns are {names}{looks_like}",
            next_step="leave the file out",
        )
    if _looks_like_data(table):
        raise FixInput(
            f"{table.file_name} has no header line: its first line is {', '.join(_names(table))}",
            next_step="put the columns' names above, for example timestamp,open,high,low,close,volume",
        )
    names = ", ".join(_names(table))
    raise FixInput(
        f"{table.file_name} has no column for {', '.join(missing)}; its columns are {names}",
        next_step="bars need open, high, low, close and volume",
    )


def _looks_like_data(table: ForeignTable) -> bool:
    return table.is_text and any(name[:1].isdigit() for name in _names(table))


def _names(table: ForeignTable) -> list[str]:
    return [column.name for column in table.columns]


def _time_columns(table: ForeignTable, found: list[ForeignColumn]) -> tuple[ForeignColumn, ...]:
    if len(found) == 1:
        return (found[0],)
    if not found:
        raise FixInput(
            f"{table.file_name} has no column of times; its columns are {', '.join(_names(table))}",
            next_step="call the column 'timestamp', 'datetime' or 'date'",
        )
    by_name = {plain(column.name): column for column in found}
    if set(by_name) == {"date", "time"}:
        return by_name["date"], by_name["time"]
    raise FixInput(
        f"{table.file_name}: the columns {', '.join(column.name for column in found)} could each be the time",
        next_step="name the wrong ones with --ignore",
    )


def _layout(table: ForeignTable, columns: tuple[ForeignColumn, ...]) -> Layout | None:
    """The known layout that the table has exactly. Text has none: whoever exports it chooses the names."""
    if table.is_text:
        return None
    names = frozenset(column.name for column in columns)
    return next(
        (
            layout
            for layout in LAYOUTS
            if names == {layout.time_column, *PRICE_COLUMNS, "volume", *layout.others}
        ),
        None,
    )


class NotBars(FixInput):
    """The file is readable, but what it holds are not bars."""
