"""Look into a spreadsheet file before a fast reader gets it: size, extent, encryption, macros, links.

A reader that makes a dense rectangle of a sheet asks for 550 GB where one cell stands in the far corner, and the
process is gone before any error is raised. So the file is unpacked here, within limits, and looked at; what the reader
is given is a plain archive of the very bytes that were looked at.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final
from xml.parsers import expat

from magellan.errors import FixInput

FILE_BYTES_MAX: Final = 10_000_000
UNPACKED_BYTES_MAX: Final = 40_000_000
ENTRIES_MAX: Final = 1_000
SHEETS_MAX: Final = 200
ROWS_MAX: Final = 1_999
COLUMNS_MAX: Final = 64  # up to column BL

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NEEDED: Final = (
    "[Content_Types].xml",
    "_rels/",
    "xl/workbook.xml",
    "xl/_rels/",
    "xl/worksheets/",
    "xl/sharedStrings.xml",
    "xl/styles.xml",
)
_NOT_NEEDED: Final = ("xl/worksheets/_rels/",)
# A cell or a row that is not written as `<c r="B4"` and `<row r="4"`, within the columns and rows that are allowed.
_OTHER_CELL = re.compile(rb'<c(?=[\s>/])(?! r="(?:[A-Z]|A[A-Z]|B[A-L])(?:[1-9][0-9]{0,2}|1[0-9]{3})")')
_OTHER_ROW = re.compile(rb'<row(?=[\s>/])(?! r="(?:[1-9][0-9]{0,2}|1[0-9]{3})")')
_OTHER_PREFIX = re.compile(rb":(?:c|row)[\s>/]")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedArchive:
    """A spreadsheet that is safe to be read."""

    content: bytes  # an archive of the parts that were looked at, not compressed
    parts: Mapping[str, bytes]  # the same, by path


def guarded(content: bytes, *, name: str) -> GuardedArchive:
    """The file, once it is known to be harmless. Raises FixInput, naming what is wrong with it."""
    if len(content) > FILE_BYTES_MAX:
        raise _refused(name, f"it has {len(content):,} bytes, and {FILE_BYTES_MAX:,} are allowed")
    if content.startswith(_OLE):
        raise _refused(
            name, "it is encrypted, or of a format from before 2007", "save it without a password, as .xlsx"
        )
    try:
        parts = _unpacked(content, name)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OSError,
    ) as error:
        raise _refused(name, f"it is no .xlsx file, or a damaged one ({error})") from None
    if "xl/workbook.xml" not in parts:
        raise _refused(name, "it is no .xlsx file: it holds no workbook")
    sheets = [path for path in parts if path.startswith("xl/worksheets/") and path.endswith(".xml")]
    if len(sheets) > SHEETS_MAX:
        raise _refused(name, f"it has {len(sheets)} sheets, and {SHEETS_MAX} are allowed")
    for path, part in parts.items():
        if b"\x00" in part:  # where text is searched for below, two bytes a letter would hide it
            raise _refused(name, f"{path} is not text in UTF-8")
        if path.endswith((".xml", ".rels")) and _says(part, b"<!DOCTYPE", b"<!ENTITY"):
            raise _refused(name, f"{path} declares entities, which no spreadsheet needs")
    for path in sheets:
        _look_at_extent(parts[path], path, name)
    return GuardedArchive(content=_packed(parts), parts=parts)


def _unpacked(content: bytes, name: str) -> dict[str, bytes]:
    parts: dict[str, bytes] = {}
    left = UNPACKED_BYTES_MAX
    with zipfile.ZipFile(BytesIO(content)) as archive:
        entries = archive.infolist()
        if len(entries) > ENTRIES_MAX:
            raise _refused(name, f"it has {len(entries):,} parts, and {ENTRIES_MAX:,} are allowed")
        for entry in entries:
            path = entry.filename.lstrip("/")
            lower = path.lower()
            if "vbaproject" in lower or lower.endswith(".bin"):
                raise _refused(
                    name, f"it holds macros or binary parts ({path})", "save it as .xlsx, without macros"
                )
            if "externallink" in lower:
                raise _refused(
                    name, f"it links to other files ({path})", "replace links by values, then save it"
                )
            if entry.flag_bits & 0x1:
                raise _refused(name, "it is encrypted", "save it without a password")
            if entry.is_dir():
                continue
            if not path.startswith(_NEEDED) or path.startswith(_NOT_NEEDED):
                continue  # pictures, comments, settings of a printer: nothing that a reader is given
            if path in parts:
                raise _refused(name, f"it holds {path} twice")
            with archive.open(entry) as file:
                # Never what it claims to be long: what it turns out to be, up to the limit.
                part = file.read(left + 1)
            left -= len(part)
            if left < 0:
                raise _refused(name, f"it unpacks to more than {UNPACKED_BYTES_MAX:,} bytes")
            parts[path] = part
    return parts


def _look_at_extent(part: bytes, path: str, name: str) -> None:
    """Raises FixInput where a cell lies too far out.

    Programs write `<c r="B4" ...>`, which is looked for as text; a sheet with anything else goes through a parser.
    """
    is_plain = not (_OTHER_CELL.search(part) or _OTHER_ROW.search(part) or _OTHER_PREFIX.search(part))
    # What hides a cell from a parser does not from a text search, and the other way round.
    if is_plain and not _says(part, b"<![CDATA[", b"<!--"):
        return
    extent = _Extent()
    parser = expat.ParserCreate()
    parser.StartElementHandler = extent.start
    try:
        parser.Parse(part, True)
    except expat.ExpatError as error:
        raise _refused(name, f"{path} is damaged ({error})") from None
    except _TooFar as error:
        raise _refused(
            name,
            f"{path} reaches {error}; {ROWS_MAX:,} rows and {COLUMNS_MAX} columns are allowed",
            "delete what lies outside of the tables, then save it",
        ) from None


def _says(part: bytes, *marks: bytes) -> bool:
    """Whether one of the marks stands in it. All have a "!", which few parts have, and which is found sooner."""
    return b"!" in part and any(mark in part for mark in marks)


class _TooFar(Exception):
    """A cell lies outside of what is allowed."""


class _Extent:
    """How far the cells of a sheet reach, as a reader counts them."""

    def __init__(self) -> None:
        self._row = self._column = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        tag = tag.rpartition(":")[2]
        if tag == "row":
            number = attributes.get("r", "")
            self._row = int(number) if number.isdecimal() and len(number) < 10 else self._row + 1
            self._column = 0
        elif tag == "c":
            match = re.fullmatch(r"([A-Za-z]{1,3})([0-9]{1,9})", attributes.get("r", ""))
            if match is None:
                self._column += 1
            else:
                self._column = _column_number(match[1])
                self._row = int(match[2])
        else:
            return
        if self._row > ROWS_MAX or self._column > COLUMNS_MAX:
            raise _TooFar(f"row {self._row:,}, column {self._column:,}")


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def _packed(parts: dict[str, bytes]) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path, part in parts.items():
            archive.writestr(zipfile.ZipInfo(path), part)
    return target.getvalue()


def _refused(name: str, why: str, next_step: str = "") -> FixInput:
    return FixInput(
        f"{name} is refused: {why}",
        kept="nothing was read from it",
        next_step=next_step or "make a fresh workbook with `magellan regime workbook new`, and fill that in",
    )
