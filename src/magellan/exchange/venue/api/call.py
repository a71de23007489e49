"""One call under way: the book, the account, and the request's parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from magellan.exchange.error_catalogue import Refusal
from magellan.exchange.venue.account import Account
from magellan.exchange.venue.book import Book
from magellan.exchange.venue.wire import Reply, Request


@dataclass(frozen=True, slots=True)
class Call:
    """What an answer needs to know."""

    book: Book
    account: Account
    request: Request

    def value(self, name: str) -> str | None:
        """The first value of a query parameter; None where it is missing or empty."""
        values = self.request.query.get(name)
        return values[0] if values and values[0] != "" else None

    def values(self, name: str) -> list[str]:
        """All values of a list parameter, whether repeated, with brackets, or separated by commas."""
        given = [*self.request.query.get(name, ()), *self.request.query.get(f"{name}[]", ())]
        return [each.strip() for value in given for each in value.split(",") if each.strip()]


Answer = Reply | Refusal
Endpoint = Callable[..., Answer]


def ok(body: Any) -> Reply:
    """An answer with a body."""
    return Reply(status=200, body=body)


def no_content() -> Reply:
    """An answer without one."""
    return Reply(status=204)
