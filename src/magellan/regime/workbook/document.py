"""The TOML and JSON forms of a workbook: sheets are tables, parameters are keys, rows are arrays of tables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any

from magellan.errors import FixInput
from magellan.regime.workbook.located import FoundSheet, FoundTable, FoundWorkbook, Located, Setting
from magellan.regime.workbook.reading import WorkbookValues
from magellan.regime.workbook.schema import Value
from magellan.regime.workbook.sheets import SHEET_OF, SHEETS

DOCUMENT_ENDINGS = (".toml", ".json")
_BYTES_MAX = 4_000_000
_TOML_BYTES_MAX = 1_000_000  # a parser of TOML takes twenty times as long
_PARTS_MAX = (
    8  # of a name with dots: a workbook's have two, and each costs a parser of TOML all those before it
)
# Comments and strings, also those without an end: a dot in them is no part of a name.
_QUIET = re.compile(
    r'''"""(?:[^\\]|\\.)*?(?:"""|\Z)|\'{3}.*?(?:\'{3}|\Z)|"(?:[^"\\\n]|\\.)*+"?|\'[^\'\n]*+\'?|\#[^\n]*+''',
    re.S,
)
_LONG_NAME = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{_PARTS_MAX}}}")


def as_document(values: WorkbookValues) -> dict[str, Any]:
    """The values in terms of TOML and JSON. What is left blank is left out."""
    document: dict[str, Any] = {}
    for sheet in SHEETS:
        said: dict[str, Any] = {
            name: _plain(value) for name, value in values.settings[sheet.name].items() if value is not None
        }
        for name, rows in values.tables[sheet.name].items():
            said[name] = [
                {key: _plain(value) for key, value in row.items() if value is not None} for row in rows
            ]
        document[sheet.name] = said
    return document


def as_json(values: WorkbookValues) -> str:
    """The JSON form."""
    return json.dumps(as_document(values), indent=2, ensure_ascii=False) + "\n"


def as_toml(values: WorkbookValues) -> str:
    """The TOML form, with what each sheet is about."""
    parts = ["# A regime workbook as TOML. `magellan regime workbook check` reads it like the spreadsheet.\n"]
    for name, said in as_document(values).items():
        parts.append(f"\n# {SHEET_OF[name].about}\n[{name}]\n")
        parts += [f"{key} = {_toml(value)}\n" for key, value in said.items() if not _is_rows(value)]
        for key, rows in said.items():
            if _is_rows(rows):
                for row in rows:
                    parts.append(f"\n[[{name}.{key}]]\n")
                    parts += [f"{column} = {_toml(value)}\n" for column, value in row.items()]
    return "".join(parts)


def read_document(content: bytes, *, file: str) -> FoundWorkbook:
    """What a TOML or JSON form says. Raises FixInput for text that is neither, and for one that is too large."""
    is_json = file.lower().endswith(".json")
    bytes_max = _BYTES_MAX if is_json else _TOML_BYTES_MAX
    if len(content) > bytes_max:
        raise FixInput(
            f"{file} has {len(content):,} bytes; a workbook has {bytes_max:,} at most",
            next_step="leave out what keeps its default: a fresh workbook has some 30,000",
        )
    try:
        text = content.decode("utf-8-sig")
        document = _json(text) if is_json else _parsed_toml(text)
    except (ValueError, RecursionError) as error:
        raise FixInput(
            f"{file}: {_words(error)}", next_step="correct the file, then run the same command again"
        ) from None
    if not isinstance(document, dict):
        raise FixInput(
            f"{file} is not an object of sheets", next_step="write one with `magellan regime workbook new`"
        )
    found = FoundWorkbook(
        file=file, sheets={}, unknown_sheets=tuple(name for name in document if name not in SHEET_OF)
    )
    for name, said in document.items():
        if name in SHEET_OF:
            found.sheets[name] = _sheet(name, said if isinstance(said, dict) else {f"{said}"[:40]: said})
    return found


def _json(text: str) -> Any:
    """Raises ValueError, also for what JSON lets pass: a name that stands twice, and half a letter."""
    document = json.loads(text, object_pairs_hook=_object)
    if "\\u" in text:
        json.dumps(
            document, ensure_ascii=False
        ).encode()  # only an escape can be a letter of which half is missing
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, value in pairs:
        if name in said:
            raise ValueError(f"'{name}' stands twice in one object, and nobody knows which one is meant")
        said[name] = value
    return said


def _parsed_toml(text: str) -> Any:
    import tomllib  # spreadsheets are read without it

    long = _LONG_NAME.search(_QUIET.sub("q", text))
    if long is not None:
        raise ValueError(f"a name has more than {_PARTS_MAX} parts: {long[0][:40]!r}")
    return tomllib.loads(text)


def _words(error: Exception) -> str:
    match error:
        case RecursionError():
            return "it is nested deeper than any workbook"
        case UnicodeDecodeError():
            return f"it is not text in UTF-8: byte {error.start} is none"
        case UnicodeEncodeError():
            return "it holds half a letter, an escape from \\ud800 to \\udfff by itself"
        case _ if "integer string conversion" in str(error):
            return "a number in it has thousands of digits"
        case _:
            return str(error)


def _sheet(name: str, said: Mapping[str, Any]) -> FoundSheet:
    found = FoundSheet(name=name)
    tables = {table.name: table for table in SHEET_OF[name].tables}
    for key, value in said.items():
        if key in tables and isinstance(value, list) and all(isinstance(row, dict) for row in value):
            columns = [column.name for column in tables[key].columns]
            found.tables[key] = FoundTable(
                name=key,
                # Of a column that may be blank, every row may be silent.
                headings={each: Located(each, key) for each in dict.fromkeys([*columns, *chain(*value)])},
                rows=[
                    {
                        column: Located(row.get(column, ""), f"{key}[{at}].{column}")
                        for column in dict.fromkeys([*columns, *row])
                    }
                    for at, row in enumerate(value)
                ],
            )  # fmt: skip
        else:
            found.settings[key] = Setting(name=Located(key, key), value=Located(value, key), beside={})
    for parameter in SHEET_OF[name].parameters:
        if parameter.may_be_blank and parameter.name not in found.settings:
            blank = Located("", parameter.name)
            found.settings[parameter.name] = Setting(
                name=Located(parameter.name, parameter.name), value=blank, beside={}
            )
    return found


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(each) for each in value)}]"
    if isinstance(value, str):
        # JSON's strings are TOML's, but for one control character that JSON lets pass.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
