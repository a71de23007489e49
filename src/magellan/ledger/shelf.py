"""Shelf: values by name, of which those that are over lie as the JSON that they were written as.

An account makes tens of thousands of orders, and a session asks again for a handful. Whoever goes on from a bookmark
has all of them under their names at once, and reads one when it is first asked for. To whoever asks, a shelf is a dict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping, MutableSequence
from typing import TypeVar, cast, overload

Value = TypeVar("Value")
Read = Callable[[bytes], Value]


class Shelf(MutableMapping[str, Value]):
    """Keeps the order in which names came, as a dict does."""

    def __init__(self, lying: Iterable[tuple[str, bytes]], read: Read[Value]) -> None:
        """lying: names, and the line of each value. Nothing is read."""
        self._held: dict[str, Value | bytes] = dict(lying)
        self._read = read

    def __getitem__(self, name: str) -> Value:
        value = self._held[name]
        if type(value) is bytes:
            value = self._held[name] = self._read(value)
        return cast(Value, value)

    def __setitem__(self, name: str, value: Value) -> None:
        self._held[name] = value

    def __delitem__(self, name: str) -> None:
        del self._held[name]

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def copy(self) -> Shelf[Value]:
        """A shelf of its own with the same values."""
        return Shelf(cast("Iterable[tuple[str, bytes]]", self._held.items()), self._read)

    def lines(self, write: Callable[[Value], bytes]) -> Iterator[bytes]:
        """The line of each value: as it lies, or written anew where it was asked for and may have changed."""
        for value in self._held.values():
            yield value if type(value) is bytes else write(cast(Value, value))

    def at_hand(self) -> Iterator[Value]:
        """Values that were asked for or added; none of those that still lie where they were put."""
        for value in self._held.values():
            if type(value) is not bytes:
                yield cast(Value, value)


class Row(MutableSequence[Value]):
    """The same for values in their order."""

    def __init__(self, lying: Iterable[bytes], read: Read[Value]) -> None:
        self._held: list[Value | bytes] = list(lying)
        self._read = read

    @overload
    def __getitem__(self, at: int) -> Value: ...
    @overload
    def __getitem__(self, at: slice) -> list[Value]: ...
    def __getitem__(self, at: int | slice) -> Value | list[Value]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self._held)))]
        value = self._held[at]
        if type(value) is bytes:
            value = self._held[at] = self._read(value)
        return cast(Value, value)

    def __setitem__(self, at: int | slice, value: Value | Iterable[Value]) -> None:
        self._held[at] = value  # type: ignore[index, assignment]

    def __delitem__(self, at: int | slice) -> None:
        del self._held[at]

    def __len__(self) -> int:
        return len(self._held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row | list) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list's: it changes

    def insert(self, at: int, value: Value) -> None:
        self._held.insert(at, value)

    def copy(self) -> Row[Value]:
        """A row of its own with the same values."""
        return Row(cast("Iterable[bytes]", self._held), self._read)

    def lines(self, write: Callable[[Value], bytes]) -> Iterator[bytes]:
        """As of a shelf."""
        for value in self._held:
            yield value if type(value) is bytes else write(cast(Value, value))


def at_hand(values: MutableMapping[str, Value]) -> Iterable[Value]:
    """The values among which one that is not over must be: all of a dict, those at hand of a shelf."""
    return values.at_hand() if isinstance(values, Shelf) else values.values()


def lines_of(
    values: MutableMapping[str, Value] | MutableSequence[Value], write: Callable[[Value], bytes]
) -> Iterable[bytes]:
    """The line of each value, in their order."""
    if isinstance(values, Shelf | Row):
        return values.lines(write)
    return map(write, values.values() if isinstance(values, MutableMapping) else values)
