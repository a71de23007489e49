"""Where in a text anything that moves could be named: all else is not looked at."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from magellan.migration.source import Source, Span

_FEW_WORDS: Final = 24  # up to so many are searched one by one, which is faster than taking a text apart
_WORD_BYTES: Final = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
) | frozenset(range(128, 256))
_WORDS_ALONE: Final = bytes(byte if byte in _WORD_BYTES else 32 for byte in range(256))
_BEHIND_ESCAPE: Final = re.compile(rb"\\[\w\x80-\xff]([\w\x80-\xff]+)")
JOINED_RUN: Final = rb"[bBdEiIOPqsSuvx]*m"
"""What a module's name may follow without a space, behind the dash: options of Python's, the last of them `m`."""
_RUN_LENGTH_MAX: Final = 16
_RUNS: Final = re.compile(rb"(?<![\w-])-" + JOINED_RUN + rb"\Z")
_BEHIND_RUN: Final = re.compile(rb"-" + JOINED_RUN + rb"([\w\x80-\xff]+)")  # it begins so, to be found fast
_BEHIND_BYTE: Final = re.compile(rb"\\x[0-9a-fA-F]{2}([\w\x80-\xff]+)")


class Interest:
    """The places of certain words in a text."""

    def __init__(self, utf8: bytes, words: Iterable[bytes]) -> None:
        self._utf8 = utf8
        self._places = sorted(place for word in words for place in _places(utf8, word))

    def __bool__(self) -> bool:
        return bool(self._places)

    @property
    def places(self) -> Sequence[int]:
        """The bytes at which the words begin, in order."""
        return self._places

    def is_in(self, span: Span) -> bool:
        """Whether any of the words stands there."""
        at = bisect_left(self._places, span.start)
        return at < len(self._places) and self._places[at] < span.end

    def begins_string_behind(self, characters: bytes) -> bool:
        """Whether any of the words begins a string that follows one of those characters."""
        for place in self._places:
            if self._utf8[place - 1 : place] in (b'"', b"'"):
                before = self._utf8[max(0, place - 80) : place - 1].rstrip(b"rRuUbB").rstrip()
                if before and before[-1:] in characters:
                    return True
        return False

    def line_numbers(self, source: Source) -> list[int]:
        """The numbers, from 1, of the lines on which any of the words stands; sorted."""
        return sorted({source.line_of(place) for place in self._places})

    def outside(self, spans: Iterable[Span]) -> Interest:
        """The words that stand in none of those spans."""
        inside = sorted(spans)
        starts = [span.start for span in inside]
        rest = Interest(self._utf8, ())
        for place in self._places:
            at = bisect_left(starts, place + 1) - 1
            if at < 0 or inside[at].end <= place:
                rest._places.append(place)
        return rest

    def lines_in(self, span: Span) -> Iterator[Span]:
        """The lines of that part of the text on which any of the words stands, each once."""
        at = bisect_left(self._places, span.start)
        while at < len(self._places) and self._places[at] < span.end:
            place = self._places[at]
            start = max(self._utf8.rfind(b"\n", span.start, place) + 1, span.start)
            end = self._utf8.find(b"\n", place, span.end)
            end = span.end if end < 0 else end
            yield Span(start, end)
            at = bisect_left(self._places, end)


def words_in(utf8: bytes, words: frozenset[bytes]) -> frozenset[bytes]:
    """Those of the words that may stand in the text."""
    if len(words) <= _FEW_WORDS:
        return frozenset(word for word in words if word in utf8)
    found = set(words.intersection(utf8.translate(_WORDS_ALONE).split()))
    if b"\\" in utf8:
        found |= words.intersection(_BEHIND_ESCAPE.findall(utf8))
    if b"\\x" in utf8:
        found |= words.intersection(_BEHIND_BYTE.findall(utf8))
    if b"-" in utf8:
        found |= words.intersection(_BEHIND_RUN.findall(utf8))
    found.update(word for word in _of_several(words) if word in utf8)
    return frozenset(found)


@lru_cache(maxsize=8)
def _of_several(words: frozenset[bytes]) -> tuple[bytes, ...]:
    """Those that are no single word, as `price-list` is not."""
    return tuple(sorted(word for word in words if not _WORD_BYTES.issuperset(word)))


def _places(utf8: bytes, word: bytes) -> Iterator[int]:
    at = utf8.find(word)
    while at >= 0:
        end = at + len(word)
        # The letter of an escape, as in "\nshop", may stand before it, or a byte, as in "\x04shop".
        begins = (
            at == 0
            or utf8[at - 1] not in _WORD_BYTES
            or utf8[at - 2 : at - 1] == b"\\"
            or utf8[at - 4 : at - 2] == b"\\x"
            or (
                utf8[at - 1 : at] == b"m" and _RUNS.search(utf8, max(0, at - _RUN_LENGTH_MAX), at) is not None
            )
        )
        if begins and (end == len(utf8) or utf8[end] not in _WORD_BYTES):
            yield at
        at = utf8.find(word, end)
