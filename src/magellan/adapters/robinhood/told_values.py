"""Reading what Robinhood's tools tell: what cannot be read is one error, and nothing is taken from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from magellan.errors import TryAgain


class RobinhoodUnreadable(TryAgain):
    """An answer that cannot be read. Nothing is taken from it."""


def listed(data: Mapping[str, Any], name: str) -> list[Any]:
    """A list of an answer; null is an empty one."""
    found = data.get(name)
    if found is None and name in data:
        return []
    if not isinstance(found, list):
        raise RobinhoodUnreadable(
            f"Robinhood's answer has no list '{name}'", kept="nothing was taken from it"
        )
    return [each for each in found if each is not None]


class reading:
    """Turns what goes wrong with a told value into one error."""

    def __init__(self, what: str, told: Any) -> None:
        self._what = what
        self._told = told

    def __enter__(self) -> None:
        if not isinstance(self._told, Mapping):
            raise RobinhoodUnreadable(f"Robinhood tells {self._what} that is none")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError | ValueError | TypeError | InvalidOperation):
            raise RobinhoodUnreadable(
                f"Robinhood tells {self._what} that cannot be read: {type(error).__name__} {error}",
                kept="nothing was taken from it",
            ) from error


def number(told: Any) -> Decimal:
    """A decimal number, however it is written."""
    value = Decimal(str(told))
    if not value.is_finite():
        raise ValueError(f"{told} is no number")
    return value


def number_or_none(told: Any) -> Decimal | None:
    """A decimal number, or null."""
    return None if told is None else number(told)


def instant(told: Any) -> datetime:
    """An instant, in UTC."""
    at = datetime.fromisoformat(str(told))
    if at.tzinfo is None:
        raise ValueError(f"{told} has no time zone")
    return at.astimezone(UTC)
