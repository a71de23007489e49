"""The TOML and JSON forms of a workbook: sheets are tables, parameters are keys, rows are arrays of tables."""

from __future__ import annotations

import json
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
    import tomllib  # spreadsheets are read without it

    if len(content) > _BYTES_MAX:
        raise FixInput(f"{file} has {len(content):,} bytes; a workbook has {_BYTES_MAX:,} at most")
    try:
        text = content.decode("utf-8-sig")
        document = json.loads(text) if file.lower().endswith(".json") else tomllib.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise FixInput(
            f"{file}: {error}", next_step="correct the file, then run the same command again"
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
            found.sheets[name] = _sheet(name, said if isinstance(said, dict) else {"": said})
    return found


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
