"""A text file's bytes as UTF-8 to work in, and back: only what was changed differs afterwards."""

from __future__ import annotations

import codecs
import io
import tokenize
from dataclasses import dataclass, replace

_BOM = codecs.BOM_UTF8


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A file's text. Line endings, form feeds and blanks are as in the file."""

    utf8: bytes  # without byte order mark
    encoding: str  # of the file: "utf-8", "iso-8859-1", ...
    bom: bool  # whether the file begins with UTF-8's mark

    def encoded(self) -> bytes:
        """The file's bytes. Raises UnicodeEncodeError where the file's encoding has no word for a character."""
        body = self.utf8 if self.encoding == "utf-8" else self.utf8.decode().encode(self.encoding)
        return _BOM + body if self.bom else body

    def with_utf8(self, utf8: bytes) -> Text:
        """The same file with other text."""
        return replace(self, utf8=utf8)


def python_text(content: bytes) -> Text | None:
    """A Python file's text, in the encoding that it declares; None where the bytes are not in it, or it is unknown."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    except SyntaxError:
        return None
    return _text(content, "utf-8" if encoding == "utf-8-sig" else encoding)


def plain_text(content: bytes) -> Text | None:
    """Any other file's text: UTF-8, else None; what holds a zero byte is no text."""
    return None if b"\0" in content else _text(content, "utf-8")


def _text(content: bytes, encoding: str) -> Text | None:
    bom = content.startswith(_BOM)
    body = content[len(_BOM) :] if bom else content
    try:
        utf8 = body.decode(encoding).encode()
        text = Text(utf8=utf8, encoding=encoding, bom=bom)
        return text if text.encoded() == content else None
    except (UnicodeError, LookupError):
        return None
