"""The schema: 31 sheets, every field of which is read by the model or declared unused."""

import itertools
import json
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from magellan.regime.axes import CLASSES, Axis
from magellan.regime.config import RegimeConfig
from magellan.regime.workbook.consistency import AXIS_CLASSES
from magellan.regime.workbook.document import as_document
from magellan.regime.workbook.json_schema import json_schema
from magellan.regime.workbook.model_values import accounting, fields, model_document, regime_config
from magellan.regime.workbook.reading import WorkbookValues, template_values
from magellan.regime.workbook.schema import Field, Kind, Value
from magellan.regime.workbook.sheets import SHEETS

READ_SETTINGS = [
    pytest.param(sheet.name, field, id=f"{sheet.name}.{field.name}")
    for sheet, table, field in fields()
    if field.reads and not table
]


def leaves(document: Any, above: str = "") -> dict[str, Any]:
    """{path: value} of a nested document."""
    if not isinstance(document, dict):
        return {above: document}
    return dict(
        itertools.chain.from_iterable(
            leaves(value, f"{above}.{key}".strip(".")).items() for key, value in document.items()
        )
    )


def with_setting(sheet: str, name: str, value: Value) -> WorkbookValues:
    """The template, with another value in one place."""
    template = template_values()
    settings = {**template.settings, sheet: {**template.settings[sheet], name: value}}
    return WorkbookValues(settings=settings, tables=template.tables)


def another(field: Field, value: Value) -> Value:
    """A value that the field allows, other than this one."""
    match field.kind:
        case Kind.BOOLEAN:
            return not value
        case Kind.CHOICE:
            return next(option for option in field.options if option != value)
        case Kind.TEXT:
            return "12" if value == "18" else f"{value} again"
        case Kind.NUMBERS:
            assert isinstance(value, tuple)
            return (*value[:-1], int(value[-1]) + 1)
    assert field.least is not None and field.most is not None
    if value is None:
        return int((field.least + field.most) / 2) if field.kind is Kind.INTEGER else field.most
    assert isinstance(value, int | float)
    if field.kind is Kind.INTEGER:
        return int(value) + 1 if value < field.most else int(value) - 1
    near = value + (field.most - value) / 100
    return near if near != value else value - (value - field.least) / 100


def test_there_are_31_sheets_and_no_name_comes_twice() -> None:
    assert len({sheet.name for sheet in SHEETS}) == len(SHEETS) == 31
    for sheet in SHEETS:
        names = [field.name for field in sheet.parameters]
        assert len(set(names)) == len(names), sheet.name
        assert sheet.about and all(field.meaning for _, field in sheet.fields())


def test_a_fresh_template_says_what_the_model_does_without_one() -> None:
    config = regime_config(template_values())
    assert config.model_copy(update={"views": ()}) == RegimeConfig()


def test_every_value_of_the_model_can_be_said_in_a_workbook() -> None:
    said = set(leaves(model_document(template_values())))
    assert set(leaves(RegimeConfig().model_dump())) <= said


def test_every_field_is_read_by_the_model_or_says_why_nothing_reads_it() -> None:
    silent = [
        f"{sheet.name}.{field.name}" for sheet, _, field in fields() if not field.reads and not sheet.unused
    ]
    assert silent == []
    counted = accounting()
    assert counted.used == sum(1 for _, _, field in fields() if field.reads)
    assert counted.used + counted.unused == sum(1 for _ in fields())


@pytest.mark.parametrize(("sheet", "field"), READ_SETTINGS)
def test_a_setting_that_is_read_changes_the_models_config(sheet: str, field: Field) -> None:
    value = another(field, template_values().settings[sheet][field.name])
    before = leaves(regime_config(template_values()).model_dump())
    after = leaves(regime_config(with_setting(sheet, field.name, value)).model_dump())
    assert {path for path in before if before[path] != after[path]} == {field.reads}


@pytest.mark.parametrize(
    "field",
    [field for _, _, field in fields() if field.reads and field.least is not None],
    ids=lambda f: f.name,
)
def test_the_model_takes_both_ends_of_a_range(field: Field) -> None:
    *above, last = field.reads.split(".")
    if "*" in above or last in ("multiples", "weights"):
        return  # of tables, whose rows are tried together
    for end in (field.least, field.most):
        assert end is not None
        scaled: Any = round(end * field.scale, 12)
        value = int(scaled) if field.kind in (Kind.INTEGER, Kind.NUMBERS) else scaled
        document: Any = [value] if field.kind is Kind.NUMBERS else value
        for part in reversed([*above, last]):
            document = {part: document}
        try:
            RegimeConfig.model_validate_json(json.dumps(document))
        except ValidationError as error:
            pytest.fail(f"{field.name} = {end}: {error}")


def test_the_classes_of_the_axes_are_those_of_the_model() -> None:
    assert tuple(AXIS_CLASSES.values()) == (
        CLASSES[Axis.VOLATILITY],
        CLASSES[Axis.TREND],
        CLASSES[Axis.STRUCTURE],
    )


def test_the_json_schema_takes_the_template_and_refuses_what_the_check_refuses() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    document = json.loads(json.dumps(as_document(template_values())))
    validator.validate(document)
    for spoil in (
        {"Summry": {}},
        {"StabilityConfiguration": {"stabilty": 0.5}},
        {"StabilityConfiguration": {"stability": 1.5}},
        {"StabilityConfiguration": {"stability": "high"}},
        {"MasterConfiguration": {"trading_mode": "YEARLY"}},
        {"TransitionRules": {"rules": [{"RuleID": 1}]}},
    ):
        assert not validator.is_valid(spoil), spoil
