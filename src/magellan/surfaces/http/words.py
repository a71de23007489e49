"""What a caller says in words, and a person reads in a terminal and in the audit log: one line, and nothing hidden."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Header
from pydantic import AfterValidator, BeforeValidator, Field

# What moves a cursor, breaks a line or turns the order of letters could make a terminal show what was never recorded.
_HIDDEN: Final = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
_HIDDEN_LETTER: Final = re.compile(f"[{_HIDDEN}]")


def one_line(text: str) -> str:
    """The text. Raises ValueError for one that hides something."""
    if _HIDDEN_LETTER.search(text):
        raise ValueError("one line of plain letters is taken, without control characters")
    return text


def said(text: str) -> str:
    """The same. Raises ValueError for a blank one, too."""
    if not text.strip():
        raise ValueError("it is blank")
    return one_line(text)


def shown(text: str) -> str:
    """The text with a question mark for every letter that hides something."""
    return _HIDDEN_LETTER.sub("?", text)


def as_sent(header: str) -> str:
    """A header's words, as whoever sent them wrote them: HTTP's libraries take every byte for a letter."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


Said = Annotated[
    str,
    Field(min_length=1, json_schema_extra={"pattern": rf"^[^{_HIDDEN}]*[^\s{_HIDDEN}][^{_HIDDEN}]*$"}),
    AfterValidator(said),
]
"""Not blank."""
Reason = Annotated[
    str,
    Header(max_length=200, description="Why. It is recorded."),
    BeforeValidator(as_sent),
    AfterValidator(one_line),
]
"""The header X-Reason."""
