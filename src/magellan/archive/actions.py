"""The corporate-action table: which splits, dividends and confirmed moves a workspace knows of."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from magellan.archive.adjust import action_at
from magellan.archive.dataset import valid_symbol
from magellan.errors import FixInput
from magellan.trading.corporate_action import CashDividend, ConfirmedMove, CorporateAction, Split
from magellan.trading.session import exchange_date, exchange_midnight

COLUMNS = ("kind", "symbol", "at", "new", "old", "amount_usd", "reason", "confirmed_by")
SPLIT, DIVIDEND, CONFIRMED_MOVE = "split", "dividend", "confirmed-move"
KINDS = (SPLIT, DIVIDEND, CONFIRMED_MOVE)

_Value = TypeVar("_Value")

_FIELDS_OF = {
    SPLIT: ("new", "old"),
    DIVIDEND: ("amount_usd",),
    CONFIRMED_MOVE: ("reason", "confirmed_by"),
}


@dataclass(frozen=True, slots=True)
class CorporateActionTable:
    """All corporate actions of a workspace, by symbol and instant; no two of a kind at one instant."""

    actions: tuple[CorporateAction, ...] = ()

    def __post_init__(self) -> None:
        seen: set[tuple[str, str, datetime]] = set()
        for action in self.actions:
            if _key(action) in seen:
                raise FixInput(
                    f"the table already holds {described(action)}",
                    next_step="`magellan data forget` takes the old row out",
                )
            seen.add(_key(action))
        object.__setattr__(self, "actions", tuple(sorted(self.actions, key=_order)))

    def of(self, symbol: str) -> tuple[CorporateAction, ...]:
        """The actions of one symbol, oldest first."""
        return tuple(action for action in self.actions if action.symbol == symbol)

    def with_action(self, action: CorporateAction) -> CorporateActionTable:
        """The table with one more row. Raises FixInput when it holds one of that kind at that instant."""
        return CorporateActionTable((*self.actions, action))

    def without(self, kind: str, symbol: str, at: datetime) -> CorporateActionTable:
        """The table without that row. Raises FixInput when there is no such row, naming the symbol's rows."""
        left = tuple(action for action in self.actions if _key(action) != (kind, symbol, at))
        if len(left) == len(self.actions):
            known = "; ".join(described(action) for action in self.of(symbol)) or "nothing"
            raise FixInput(
                f"the table holds no {kind} of {symbol} at {written_at(at)}; of {symbol} it holds: {known}"
            )
        return CorporateActionTable(left)


def parsed(text: str, *, name: str) -> CorporateActionTable:
    """The table that CSV text holds. `name` is the file's, for messages.

    Columns: kind (split, dividend, confirmed-move), symbol, at, new, old, amount_usd, reason, confirmed_by; a
    kind's other columns are empty. `at` is an exchange date (its midnight) or an instant with a zone.
    Raises: FixInput naming the row (as an editor counts lines) and the column.
    """
    reader = csv.reader(io.StringIO(text), strict=True)
    actions: list[CorporateAction] = []
    seen: dict[tuple[str, str, datetime], int] = {}
    try:
        header = next(reader, None)
        if header is None or tuple(header) != COLUMNS:
            raise FixInput(
                f"{name}, line 1: the columns are {', '.join(header or ['none'])}, not {', '.join(COLUMNS)}",
                next_step=f"begin the file with the line {','.join(COLUMNS)}",
            )
        for row in reader:
            if not row:
                continue
            action = _action(row, f"{name}, line {reader.line_num}")
            earlier = seen.setdefault(_key(action), reader.line_num)
            if earlier != reader.line_num:
                raise FixInput(
                    f"{name}, line {reader.line_num}: line {earlier} already holds {described(action)}"
                )
            actions.append(action)
    except csv.Error as error:
        raise FixInput(f"{name}, line {reader.line_num}: {error}") from error
    return CorporateActionTable(tuple(actions))


def written(table: CorporateActionTable) -> str:
    """The table as CSV text that `parsed` reads back to the same table."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for action in table.actions:
        row: dict[str, object] = {
            "kind": kind_of(action),
            "symbol": action.symbol,
            "at": written_at(action_at(action)),
        }
        match action:
            case Split():
                row |= {"new": action.new_shares, "old": action.old_shares}
            case CashDividend():
                row |= {"amount_usd": f"{action.amount_usd:f}"}
            case ConfirmedMove():
                row |= {"reason": action.reason, "confirmed_by": action.confirmed_by}
        writer.writerow(row)
    return text.getvalue()


def read_at(text: str) -> datetime:
    """An exchange date (its midnight on the exchange's clock) or an ISO instant with a zone, as UTC.

    A date is what announcements give, and is right wherever the first trade of that date is on the new basis.
    An instant is for prices that change basis inside a date.
    Raises: FixInput for anything else, also for an instant without a zone.
    """
    try:
        if len(text) == len("2024-06-10"):
            return exchange_midnight(date.fromisoformat(text))
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise FixInput(
            f"'{text}' is neither a date nor an instant", next_step="write 2024-06-10 or 2024-06-10T13:30Z"
        ) from error
    if at.tzinfo is None:
        raise FixInput(
            f"'{text}' has no zone, so it could be several instants",
            next_step=f"write {text}Z for UTC, or add the offset, for example -04:00",
        )
    return at.astimezone(UTC)


def written_at(at: datetime) -> str:
    """The shortest text that `read_at` reads back to the same instant."""
    on = exchange_date(at)
    if exchange_midnight(on) == at:
        return on.isoformat()
    return at.isoformat().replace("+00:00", "Z")


def amount(text: str) -> Decimal:
    """A dividend's cash per share in USD. Raises FixInput for anything but a finite number."""
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise FixInput(f"'{text}' is not an amount", next_step="write it like 0.24") from error
    if not value.is_finite():
        raise FixInput(f"'{text}' is not an amount", next_step="write it like 0.24")
    return value


def kind_of(action: CorporateAction) -> str:
    """The word for an action's kind, as it stands in the table and on the command line."""
    match action:
        case Split():
            return SPLIT
        case CashDividend():
            return DIVIDEND
        case ConfirmedMove():
            return CONFIRMED_MOVE


def described(action: CorporateAction) -> str:
    """An action in a few words, for tables and messages."""
    head = f"{action.symbol} {kind_of(action)} {written_at(action_at(action))}"
    match action:
        case Split():
            return f"{head}, {action.new_shares} for {action.old_shares}"
        case CashDividend():
            return f"{head}, {action.amount_usd:f} USD a share"
        case ConfirmedMove():
            return f"{head}, {action.reason} (confirmed by {action.confirmed_by})"


def _action(row: list[str], place: str) -> CorporateAction:
    if len(row) != len(COLUMNS):
        raise FixInput(f"{place}: {len(row)} fields, not {len(COLUMNS)}")
    cells = dict(zip(COLUMNS, row, strict=True))
    kind = cells["kind"]
    if kind not in KINDS:
        raise FixInput(f"{place}, column 'kind': '{kind}' is not one of {', '.join(KINDS)}")
    for column in COLUMNS[3:]:
        if column not in _FIELDS_OF[kind] and cells[column]:
            raise FixInput(
                f"{place}, column '{column}': a {kind} has none, so '{cells[column]}' cannot stand here"
            )
    symbol, at = _cell(cells, "symbol", valid_symbol, place), _cell(cells, "at", read_at, place)
    try:
        if kind == SPLIT:
            new, old = (_cell(cells, column, int, place) for column in _FIELDS_OF[SPLIT])
            return Split(symbol=symbol, effective_at=at, new_shares=new, old_shares=old)
        if kind == DIVIDEND:
            return CashDividend(symbol=symbol, ex_at=at, amount_usd=_cell(cells, "amount_usd", amount, place))
        return ConfirmedMove(symbol=symbol, at=at, reason=cells["reason"], confirmed_by=cells["confirmed_by"])
    except ValueError as error:
        raise FixInput(f"{place}, column '{_FIELDS_OF[kind][0]}': {error}") from error


def _cell(cells: dict[str, str], column: str, read: Callable[[str], _Value], place: str) -> _Value:
    try:
        return read(cells[column])
    except FixInput as error:
        raise FixInput(f"{place}, column '{column}': {error.message}", next_step=error.next_step) from error
    except ValueError as error:
        raise FixInput(f"{place}, column '{column}': '{cells[column]}' is not a whole number") from error


def _key(action: CorporateAction) -> tuple[str, str, datetime]:
    return kind_of(action), action.symbol, action_at(action)


def _order(action: CorporateAction) -> tuple[str, datetime, str]:
    return action.symbol, action_at(action), kind_of(action)
