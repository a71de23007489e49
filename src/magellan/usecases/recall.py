"""Recall: an account as its ledger makes it, from the newest bookmark that fits and the entries behind it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import magellan
from magellan.engine.safety import Safety
from magellan.engine.session import Session
from magellan.engine.session_form import account_from
from magellan.ledger.book import Book
from magellan.ledger.bookmark import bookmark, lines_in
from magellan.ledger.entries import LedgerEntry
from magellan.ports.ledger import Ledger, LedgerWriter
from magellan.risk.breakers import BreakerLimits

_READ_AGAIN_MAX: Final = 10_000  # entries: what takes about a second where all of them are of orders
_FOLDING: Final = ("engine", "ledger", "risk", "strategy", "trading")  # packages that a fold is made of


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A bookmark that fits its ledger, or none."""

    lines: list[bytes] | None  # as `Session.put_away` gave them; None: everything is to be read
    after: int  # number of the entry that it was made at; what follows is to be read. 0 where there is none


NOTHING: Final = Recalled(lines=None, after=0)


def recalled(ledger: Ledger, account: str) -> Recalled:
    """The account's bookmark, if this code made it, nobody touched it, and the chain still holds its entry."""
    found = ledger.bookmark(account)
    if found is None or not 0 < found.head.number <= ledger.head(account).number:
        return NOTHING
    at = next(ledger.entries(account, after=found.head.number - 1))
    lines = lines_in(found, account, fold_form()) if at.hash == found.head.hash else None
    return NOTHING if lines is None else Recalled(lines=lines, after=found.head.number)


def book_now(ledger: Ledger, account: str, kinds: Collection[str]) -> Book:
    """An account's book at its newest entry, as far as entries of these kinds make it."""
    book, _, after = _taken_up(ledger, account)
    for entry in ledger.entries(account, after=after, kinds=kinds):
        book.apply(entry)
    return book


def account_now(
    ledger: Ledger, account: str, kinds: Collection[str]
) -> tuple[Book, Safety, tuple[LedgerEntry, ...]]:
    """As `book_now`, with the account's switch and breakers, and the entries that were read behind the bookmark."""
    book, safety, after = _taken_up(ledger, account)
    behind = tuple(ledger.entries(account, after=after, kinds=kinds))
    for entry in behind:
        book.apply(entry)
        safety.fold(entry)
    return book, safety, behind


def _taken_up(ledger: Ledger, account: str) -> tuple[Book, Safety, int]:
    """The account at its newest bookmark, and the number of the entry that this was made at."""
    found, safety = recalled(ledger, account), Safety(BreakerLimits())
    if found.lines is None:
        return Book(account=account), safety, 0
    book, safety.breakers, safety.switch = account_from(iter(found.lines))
    return book, safety, found.after


def put_away_if_long(writer: LedgerWriter, session: Session, found: Recalled) -> None:
    """Make the next bookmark where much has been read behind the one that was found.

    session: that has read everything, and begun nothing yet. Raises AskOperator where nothing can be written.
    """
    if writer.head.number - found.after > _READ_AGAIN_MAX:
        writer.keep(bookmark(writer.account, writer.head, fold_form(), session.put_away()))


@cache
def fold_form() -> str:
    """Which code folds here: a hash of the sources that a bookmark follows from."""
    root = Path(magellan.__file__).parent
    digest = sha256(magellan.__version__.encode())
    for package in _FOLDING:
        for source in sorted((root / package).glob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()
