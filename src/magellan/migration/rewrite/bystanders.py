"""Words in Python code that only look like the name of something that moves: `console.print()`, `self.token`.

Whether a file has anything but import statements to rewrite can so be told without parsing it, which takes longer than
all the rest together. What is told here is never "it names something", only "it cannot".
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from magellan.migration.rewrite.interest import Interest
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source import Span

_NAME: Final = re.compile(rb"[\w\x80-\xff]*")
_NAME_BEFORE: Final = re.compile(rb"[\w\x80-\xff]*\Z")
_FILE_NAME: Final = re.compile(rb"[\w.\x80-\xff-]*")
# Between the two names of `a \ . b` and `(a).b`; and the backslashes of an escaped dot.
_BETWEEN: Final = b" \t\r\n\f\\)"
_LONGEST_NAME: Final = 200  # bytes; a longer one is taken for one that may matter
# A string that follows another is one with it: "shop." "regime".
_CONTINUED: Final = re.compile(rb"[\"'][ \t\r\n\\]*[rRbBuUfF]{0,2}[\"']\Z")
# A word that a package is asked for: getattr(shop, "regime"), patch.object(shop, "regime").
_ASKED: Final = re.compile(rb"(?:attr|object)\([^()\r\n]*,[ \t]*[\"']\Z")
_NEAR: Final = 64  # bytes before a word in which those are looked for


class Bystanders:
    """Tells words that can name nothing that moves."""

    def __init__(self, renames: Renames) -> None:
        moved = (*renames.paths, *renames.folders)
        self._leaves = {path.rpartition("/")[2].encode() for path in moved}
        self._tops = {top.encode() for top in renames.tops}

    def are_all(self, utf8: bytes, words: Interest, roots: Collection[str]) -> bool:
        """Whether every one of those words is one. The text is Python code, and has no import behind other code.

        roots: names that the file's imports give to packages and modules through which a moved one is reached.
        """
        heads = self._tops | {root.encode() for root in roots}
        return all(self._is_one(utf8, place, heads) for place in words.places)

    def _is_one(self, utf8: bytes, place: int, heads: Collection[bytes]) -> bool:
        chain = _chain_around(utf8, place)
        if chain is None:
            return False
        head = utf8[chain.start : chain.end]
        # In "\nshop.regime" the letter of the escape stands before the name.
        escaped = head[1:] if utf8[chain.start - 1 : chain.start] == b"\\" else head
        if not head or head in heads or escaped in heads:
            return False
        near = max(0, chain.start - _NEAR)
        if _CONTINUED.search(utf8, near, chain.start) or _ASKED.search(utf8, near, chain.start):
            return False
        file_name = _FILE_NAME.match(utf8, place)
        assert file_name is not None, "it matches nothing, too"
        if file_name[0] in self._leaves or file_name[0].rstrip(b".") in self._leaves:
            return False
        return not _may_be_imported(utf8, place)


def _chain_around(utf8: bytes, place: int) -> Span | None:
    """The first name of the chain that the word at `place` stands in; None where that is not told so easily."""
    start = place
    while True:
        dot = _before(utf8, start)
        if dot == 0 or utf8[dot - 1 : dot] != b".":
            break
        end = _before(utf8, dot - 1)
        if b"#" in utf8[utf8.rfind(b"\n", 0, end) + 1 : end] and b"\n" in utf8[end:start]:
            return None  # a comment stands between the names
        before = _NAME_BEFORE.search(utf8, max(0, end - _LONGEST_NAME), end)
        assert before is not None, "it matches nothing, too"
        if not before[0]:
            return Span(end, end)
        if len(before[0]) == _LONGEST_NAME:
            return None
        start = before.start()
    name = _NAME.match(utf8, start)
    assert name is not None, "it matches nothing, too"
    return Span(start, name.end())


def _before(utf8: bytes, at: int) -> int:
    """Where what may stand between two names of a chain begins."""
    while at > 0 and utf8[at - 1] in _BETWEEN:
        at -= 1
    return at


def _may_be_imported(utf8: bytes, place: int) -> bool:
    """Whether an `import` stands before it on its line, or parentheses after one are still open."""
    word = utf8.rfind(b"import", 0, place)
    if word < 0:
        return False
    if utf8.find(b"(", word, place) >= 0 and utf8.find(b")", word, place) < 0:
        return True
    line = utf8.rfind(b"\n", word, place)
    while line >= 0 and (utf8[line - 1 : line] == b"\\" or utf8[line - 2 : line] == b"\\\r"):
        line = utf8.rfind(b"\n", word, line)
    return line < 0
