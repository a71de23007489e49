"""The JSON Schema of the TOML and JSON forms, for editors and for the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from magellan.regime.workbook.schema import Field, Kind
from magellan.regime.workbook.sheets import SHEETS

_TYPES = {
    Kind.BOOLEAN: "boolean",
    Kind.INTEGER: "integer",
    Kind.NUMBER: "number",
    Kind.CHOICE: "string",
    Kind.TEXT: "string",
    Kind.TIME: "string",
    Kind.WORDS: "array",
    Kind.NUMBERS: "array",
}


def json_schema() -> dict[str, Any]:
    """Draft 2020-12."""
    sheets = {}
    for sheet in SHEETS:
        properties: dict[str, Any] = {field.name: _property(field) for field in sheet.parameters}
        for table in sheet.tables:
            properties[table.name] = {
                "type": "array",
                "description": table.title,
                "items": _object(
                    {field.name: _property(field) for field in table.columns}, _needed(table.columns)
                ),
            }
        sheets[sheet.name] = {**_object(properties, ()), "description": sheet.about}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Regime workbook",
        **_object(sheets, ()),
    }


def _object(properties: dict[str, Any], required: Iterable[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": list(required),
    }


def _needed(columns: tuple[Field, ...]) -> list[str]:
    return [field.name for field in columns if not field.may_be_blank]


def _property(field: Field) -> dict[str, Any]:
    unit = f" In {field.unit}." if field.unit else ""
    said: dict[str, Any] = {"type": _TYPES[field.kind], "description": field.meaning + unit}
    limits: dict[str, Any] = {}
    if field.least is not None:
        limits["minimum"] = field.least
    if field.most is not None:
        limits["maxLength" if field.kind is Kind.TEXT else "maximum"] = field.most
    if field.options:
        said["enum"] = list(field.options)
    if field.kind is Kind.TIME:
        said["pattern"] = "^([01]?[0-9]|2[0-3]):[0-5][0-9]$"
    if field.kind is Kind.WORDS:
        said["items"] = {"type": "string", **({"enum": said.pop("enum")} if field.options else {})}
    elif field.kind is Kind.NUMBERS:
        said["items"] = {"type": "number", **limits}
    else:
        said |= limits
    if field.default is not None:
        said["default"] = list(field.default) if isinstance(field.default, tuple) else field.default
    return said
