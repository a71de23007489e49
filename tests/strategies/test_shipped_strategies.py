"""What every reference strategy brings along: a sound config, its schema, a runner, tests, an honest page."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from magellan.usecases.load_strategy import load_strategy
from magellan.workspace.config_file import config_schema

ROOT = Path(__file__).parents[2]
PROD = ROOT / "workspace/prod"
SHIPPED = sorted(path.parent for path in PROD.glob("*/strategy.py"))


def test_the_three_reference_strategies_are_shipped() -> None:
    assert [folder.name for folder in SHIPPED] == ["bear_trap", "daily_trend", "hourly_swing"]


@pytest.fixture(params=SHIPPED, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    """The folder of each reference strategy in turn."""
    path: Path = request.param
    return path


def test_its_schema_is_that_of_the_code(folder: Path) -> None:
    schema = config_schema(type(load_strategy(folder).strategy).Parameters)
    assert json.loads((folder / "config.schema.json").read_text()) == schema, "run `make reference`"


def test_its_config_is_sound_by_its_own_schema(folder: Path) -> None:
    schema: dict[str, Any] = json.loads((folder / "config.schema.json").read_text())
    config = json.loads((folder / "config.json").read_text())
    assert config["$schema"] == "config.schema.json"
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(config, schema)


def test_its_config_flatters_nothing(folder: Path) -> None:
    loaded = load_strategy(folder)
    assert loaded.config.misleading() == ()
    assert loaded.config.execution.commission_bps > 0
    assert loaded.config.limits.loss_per_day_fraction_max == 0.1
    assert loaded.config.strategy.version == loaded.strategy.version


def test_its_config_lets_as_many_symbols_be_entered_at_one_close_as_may_be_held(folder: Path) -> None:
    config = load_strategy(folder).config
    held_max = config.limits.open_positions_max
    assert held_max is not None
    assert config.risk.orders_per_second_max >= min(len(config.symbols), held_max)


def test_its_config_says_every_parameter_that_is_not_for_old_research(folder: Path) -> None:
    loaded = load_strategy(folder)
    kept_for_research = {"day_end", "targets_see_own_bar", "gap_in_true_range", "high_sells_again"}
    named = set(type(loaded.strategy).Parameters.model_fields) - kept_for_research
    assert set(loaded.config.parameters) == named


def test_its_page_says_what_the_evidence_does_not_show(folder: Path) -> None:
    page = (folder / "docs/README.md").read_text()
    assert re.search(r"^## What the evidence shows$", page, re.MULTILINE)
    assert re.search(r"^## What it does not show$", page, re.MULTILINE)


def test_its_runner_is_a_door_and_nothing_else(folder: Path) -> None:
    code = (folder / "runner.py").read_text()
    assert len(code.splitlines()) <= 6
    assert "from magellan.surfaces.runner import main" in code


def test_every_symbol_of_daily_trend_has_the_parameters_it_was_studied_with() -> None:
    loaded = load_strategy(PROD / "daily_trend")
    found = {
        symbol: (own.rsi_period, own.upper, own.lower)  # type: ignore[attr-defined]
        for symbol, own in loaded.parameters.items()
    }
    assert found == {
        "GOOGL": (28, 55, 45),
        "META": (28, 55, 45),
        "AAPL": (28, 65, 35),
        "IWM": (28, 65, 35),
        "TSLA": (28, 58, 42),
        "AMZN": (21, 55, 45),
        "MSFT": (21, 58, 42),
        "SPY": (21, 58, 42),
        "QQQ": (21, 60, 40),
        "GLD": (21, 65, 35),
    }


def test_nvidia_is_slower_than_tesla() -> None:
    tsla, nvda = (load_strategy(PROD / "hourly_swing").parameters[symbol] for symbol in ("TSLA", "NVDA"))
    assert (tsla.rsi_period, tsla.upper, tsla.lower) == (14, 60, 40)  # type: ignore[attr-defined]
    assert (nvda.rsi_period, nvda.upper, nvda.lower) == (28, 55, 45)  # type: ignore[attr-defined]


def test_it_trades_only_symbols_that_were_studied_and_are_still_listed() -> None:
    # Incident 7: 13 of 21 symbols had never been validated, one was to be left out, three were delisted.
    studied = {"MULN", "ONDS", "AMC", "NKLA", "WKHS", "ACB", "SENS", "BTCS"}
    delisted = {"NKLA", "GOEV", "MULN"}
    assert set(load_strategy(PROD / "bear_trap").config.symbols) == studied - delisted
