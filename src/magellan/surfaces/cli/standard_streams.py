"""Standard streams: whatever we say arrives, also in a log with an old encoding and where a stream was closed."""

import codecs
import io
import os
import sys
from typing import Final

_LINES: Final = range(0x2500, 0x2580)  # box drawing
_PLAIN: Final = {"−": "-", "–": "-", "—": "-", "\xa0": " ", "\u202f": " ", "…": "...", "×": "x", "≥": ">="}
_HANDLER: Final = "magellan.plain"


def make_writable() -> None:
    """Let standard output and error take every text; called before the first word is written.

    A stream that was closed when we started (`>&-`) swallows what it is given. A character that a stream's
    encoding lacks becomes the plain one that means the same, so that a minus sign is never lost; any other becomes
    its number, as JSON writes it.
    """
    codecs.register_error(_HANDLER, plainly)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def plainly(error: UnicodeError) -> tuple[str, int]:
    """The plain text for what could not be encoded, and where to go on: an error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    if ord(character) in _LINES:
        return "-"
    units = character.encode("utf-16-be", errors="surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
