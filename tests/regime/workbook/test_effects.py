"""A setting that is declared used is used: changed, the model says something else.

Each costs two runs of the model, so the suite tries every seventh of them; MAGELLAN_EVERY_SETTING=1 tries all.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from magellan.regime.axes import Axis
from magellan.regime.config import RegimeConfig
from magellan.regime.generated_chain import generated_chain
from magellan.regime.quality.scenario import scenario
from magellan.regime.workbook.model_values import WORKBOOK_VIEW, fields, regime_config
from magellan.regime.workbook.reading import WorkbookValues, template_values
from magellan.regime.workbook.schema import Field, Kind, Value
from magellan.usecases.analyse_regime import run_model
from magellan.usecases.regime_bars import of_bars

BARS, DAILY_BARS = 900, 1500

# Where twice, or half, of a value shows nothing on these bars, and this does.
TELLING: dict[str, Value] = {
    "minimum_regime_duration": 60,
    "transition_cooldown": 60,
    "cpr_narrow_below": 0.99,
    "cpr_wide_above": 1.01,
    "cpr_window_sessions": 2,
    "near_expiry_days": 60.0,
    "near_expiry_adjustment": 10.0,
    "extreme_sentiment": 0.002,
    "trend_above": 1.9,
    "strong_above": 10.0,
    "refit_every_sessions": 1,
    "fit_window_bars": 500,
    "fit_steps": 1,
    "drift_threshold": 0.0001,
    "drift_confidence_factor": 0.0,
}

# What shows only beside another setting: {setting: (sheet, setting, its value)}.
BESIDE: dict[str, tuple[str, str, Value]] = {
    "cpr_narrow_below": ("IndicatorConfiguration", "cpr_window_sessions", 2),
    "cpr_wide_above": ("IndicatorConfiguration", "cpr_window_sessions", 2),
    "extreme_sentiment": ("GreekSentimentConfig", "bullish_threshold", 0.001),
    "near_expiry_adjustment": ("GreekSentimentConfig", "near_expiry_days", 60.0),
    "drift_confidence_factor": ("AdaptiveLearning", "drift_threshold", 0.0001),
    "fit_window_bars": ("EnsembleMethods", "refit_every_sessions", 1),
    "allow_direct_reversals": ("StabilityConfiguration", "stability", 0.0),
}

# What shows on daily bars whose states drift.
DAILY = ("allow_direct_reversals", "trend_above", "strong_above", "TrendClass")

USED = [(sheet.name, field) for sheet, table, field in fields() if field.reads and not table]
TRIED = USED if os.environ.get("MAGELLAN_EVERY_SETTING") else USED[::7]

COLUMNS = [(sheet.name, table, field) for sheet, table, field in fields() if field.reads and table]

# Of most columns each row gets the value of the next. Not of these: markets would have two names, or none.
EXCHANGED: dict[str, dict[Value, Value]] = {
    "TrendClass": {
        ("up",): ("down",),
        ("down",): ("up",),
        ("strong_up",): ("strong_down",),
        ("strong_down",): ("strong_up",),
    },
    "Structure": {("ranging",): ("trending", "breaking"), ("trending", "breaking"): ("ranging",)},
}


def digest(name: str, bars: int) -> Callable[[RegimeConfig], str]:
    """What the model says of a scenario under a config, as 64 hex digits; the config itself is not among it."""
    made = scenario(name, 1, bars=bars)
    data = of_bars(made.bars, "generated", generated=True)
    chain = generated_chain(data.bars, seed=1)
    moves = np.diff(np.log(data.bars.close), prepend=np.log(data.bars.close[0]))
    others = (0.8 * moves + np.random.default_rng(0).normal(0.0, 0.6 * moves.std(), len(moves)))[:, None]

    def digest_of(config: RegimeConfig) -> str:
        model = run_model(data, config, others=others, chain=chain)
        reading = model.reading()
        said = hashlib.sha256()
        for axis in Axis:
            said.update(np.ascontiguousarray(model.probabilities(axis)).tobytes())
            said.update(np.ascontiguousarray(model.confidence(axis)).tobytes())
            said.update(model.labels(axis).tobytes())
        said.update(model.states.tobytes())
        said.update(model.regimes.tobytes())
        said.update(
            repr(replace(reading, config_sha256="", state=replace(reading.state, model_id=""))).encode()
        )
        return said.hexdigest()

    return digest_of


@pytest.fixture(scope="module")
def intraday() -> Callable[[RegimeConfig], str]:
    return digest("intra4", BARS)


@pytest.fixture(scope="module")
def daily() -> Callable[[RegimeConfig], str]:
    return digest("eq3", DAILY_BARS)


@pytest.mark.parametrize(("sheet", "field"), TRIED, ids=lambda each: getattr(each, "name", each))
def test_a_setting_that_is_used_changes_what_the_model_says(
    sheet: str, field: Field, intraday: Callable[[RegimeConfig], str], daily: Callable[[RegimeConfig], str]
) -> None:
    said = daily if field.name in DAILY else intraday
    beside = BESIDE.get(field.name)
    start = template_values() if beside is None else changed(template_values(), *beside)
    value = TELLING.get(field.name, another(field, start.settings[sheet][field.name]))
    assert said(regime_config(changed(start, sheet, field.name, value))) != said(regime_config(start))


@pytest.mark.parametrize(("sheet", "table", "field"), COLUMNS, ids=lambda each: getattr(each, "name", each))
def test_a_column_that_is_used_changes_what_the_model_says(
    sheet: str,
    table: str,
    field: Field,
    intraday: Callable[[RegimeConfig], str],
    daily: Callable[[RegimeConfig], str],
) -> None:
    said = daily if field.name in DAILY else intraday
    start = changed(template_values(), "MasterConfiguration", "view", WORKBOOK_VIEW)
    rows = start.tables[sheet][table]
    values = [row[field.name] for row in rows]
    if exchanged := EXCHANGED.get(field.name):
        moved = [exchanged.get(value, value) for value in values]
    elif field.kind is Kind.BOOLEAN:
        moved = [not values[0], *values[1:]]
    else:
        moved = [*values[1:], values[0]]
    changed_rows = tuple({**row, field.name: value} for row, value in zip(rows, moved, strict=True))
    tables = {**start.tables, sheet: {**start.tables[sheet], table: changed_rows}}
    other = WorkbookValues(settings=start.settings, tables=tables)
    assert said(regime_config(other)) != said(regime_config(start))


def changed(values: WorkbookValues, sheet: str, name: str, value: Value) -> WorkbookValues:
    settings = {**values.settings, sheet: {**values.settings[sheet], name: value}}
    return WorkbookValues(settings=settings, tables=values.tables)


def another(field: Field, value: Value) -> Value:
    """Twice as much, or half of it, where that is allowed."""
    if field.kind is Kind.BOOLEAN:
        return not value
    if field.kind is Kind.TEXT:
        return "12"
    least, most = field.least or 0.0, field.most or 0.0
    if isinstance(value, tuple):
        return tuple(max(int(least), int(each) // 2) for each in value)
    if not value:
        found = 1.0 if value is None or most <= 1 else 5.0
    else:
        found = next(each for each in (2 * float(value), float(value) / 2) if least <= each <= most)
    return int(found) if field.kind is Kind.INTEGER else found
