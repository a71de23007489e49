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
SHIPPED = sorted(path.parent for path in (ROOT / "workspace/prod").glob("*/strategy.py"))


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


def test_its_config_says_every_parameter_that_is_not_for_old_research(folder: Path) -> None:
    loaded = load_strategy(folder)
    kept_for_research = {"day_end", "targets_see_own_bar", "gap_in_true_range"}
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
