"""From a workbook to the values of the regime model, and which of its fields they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magellan.regime.workbook.reading import WorkbookValues, template_values
from magellan.regime.workbook.schema import Field, Sheet, Value
from magellan.regime.workbook.sheets import SHEETS

if TYPE_CHECKING:
    from magellan.regime.config import RegimeConfig

WORKBOOK_VIEW = "workbook"
"""The view that RegimeClassification defines; `view` chooses it by this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounting:
    """How many fields of the schema something reads, and how many are declared unused."""

    used: int
    unused: int


def accounting() -> Accounting:
    """Over all parameters and columns of all sheets."""
    used = sum(1 for _, _, field in fields() if field.reads)
    return Accounting(used=used, unused=sum(1 for _ in fields()) - used)


def fields() -> Iterator[tuple[Sheet, str, Field]]:
    """Every field, with its sheet and its table's name; "" for a parameter."""
    for sheet in SHEETS:
        yield from ((sheet, table, field) for table, field in sheet.fields())


def regime_config(values: WorkbookValues) -> RegimeConfig:
    """The model's config. Raises pydantic.ValidationError for values that contradict each other there."""
    import json

    from magellan.regime.config import RegimeConfig

    # As JSON, since the model is strict, and takes lists for tuples only there.
    return RegimeConfig.model_validate_json(json.dumps(model_document(values)))


def model_document(values: WorkbookValues) -> dict[str, Any]:
    """The same in terms of JSON: {"decision": {"cooldown_bars": 5, ...}, ...}."""
    document: dict[str, Any] = {}
    for sheet in SHEETS:
        for field in sheet.parameters:
            if field.reads:
                _put(document, field.reads, _scaled(field, values.settings[sheet.name][field.name]))
    for row in values.tables["IndicatorConfiguration"]["components"]:
        _put(document, f"components.{row['IndicatorName']}.enabled", row["Enabled"])
        _put(document, f"components.{row['IndicatorName']}.weight", row["Weight"])
    timeframes = values.tables["MultiTimeframeConfig"]["timeframes"]
    _put(document, "components.timeframe_vote.multiples", [row["Timeframe"] for row in timeframes])
    _put(document, "components.timeframe_vote.weights", [row["Weight"] for row in timeframes])
    rows = [_view_row(row) for row in values.tables["RegimeClassification"]["regimes"]]
    document["views"] = [{"name": WORKBOOK_VIEW, "rows": rows}]
    return document


def values_of(config: RegimeConfig) -> WorkbookValues:
    """A workbook that says what a config says; what the model does not read is as in the template."""
    template = template_values()
    document = config.model_dump(mode="json")
    settings = {
        sheet.name: {
            field.name: _from_model(field, _at(document, field.reads)) if field.reads else said[field.name]
            for field in sheet.parameters
        }
        for sheet in SHEETS
        for said in [template.settings[sheet.name]]
    }
    tables = {name: dict(said) for name, said in template.tables.items()}
    tables["IndicatorConfiguration"]["components"] = tuple(
        {
            **row,
            "Enabled": document["components"][row["IndicatorName"]]["enabled"],
            "Weight": document["components"][row["IndicatorName"]]["weight"],
        }
        for row in template.tables["IndicatorConfiguration"]["components"]
    )
    vote = document["components"]["timeframe_vote"]
    tables["MultiTimeframeConfig"]["timeframes"] = tuple(
        {"Timeframe": multiple, "Weight": weight}
        for multiple, weight in zip(vote["multiples"], vote["weights"], strict=True)
    )
    return WorkbookValues(settings=settings, tables=tables)


def _from_model(field: Field, value: Any) -> Value:
    if isinstance(value, list):
        return tuple(value)
    scaled: Value = round(value / field.scale, 9) if field.scale != 1.0 else value
    return scaled


def _at(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document[part]
    return document


def _view_row(row: Mapping[str, Value]) -> dict[str, Any]:
    return {
        "name": row["RegimeName"],
        "volatility": row["VolatilityClass"],
        "trend": row["TrendClass"],
        "structure": row["Structure"],
    }


def _scaled(field: Field, value: Value) -> Value:
    if field.scale == 1.0 or not isinstance(value, int | float):
        return value
    return round(value * field.scale, 12)  # 70 percent is 0.7, and not 0.7000000000000001


def _put(document: dict[str, Any], path: str, value: object) -> None:
    *above, last = path.split(".")
    for part in above:
        document = document.setdefault(part, {})
    document[last] = value
