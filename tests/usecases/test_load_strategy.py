"""Loading a strategy: what would fail in the middle of a run is refused here (incidents 3 and 13)."""

import json
from pathlib import Path
from typing import Any

import pytest

from magellan.errors import FixInput
from magellan.usecases.load_strategy import load_strategy

HEAD = "from magellan.strategy.contract import *\nfrom magellan.strategy.trade_plan import *\n\n\n"
ENTERS = "    def enter_long(self, f, p):\n        return f.close > f.open\n"
GOOD = f"{HEAD}class Gap(Strategy):\n{ENTERS}"
CONFIG = {"strategy": {"name": "gap", "version": "1.0.0", "kind": "trend"}, "symbols": ["AMC"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "gap"
    path.mkdir()
    (path / "strategy.py").write_text(GOOD)
    (path / "config.json").write_text(json.dumps(CONFIG))
    return path


def refused(folder: Path, code: str) -> str:
    (folder / "strategy.py").write_text(code)
    with pytest.raises(FixInput) as caught:
        load_strategy(folder)
    return str(caught.value)


def configured(folder: Path, **changed: Any) -> Path:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changed}))
    return folder


def test_a_sound_folder_is_loaded_with_its_digests(folder: Path) -> None:
    loaded = load_strategy(folder)
    assert loaded.strategy.name() == "Gap"
    assert list(loaded.parameters) == ["AMC"]
    assert not loaded.decides_in_python
    assert len(loaded.code_sha256) == len(loaded.config_sha256) == 64


def test_the_code_that_runs_is_the_code_that_was_hashed(folder: Path) -> None:
    before = load_strategy(folder)
    # Same length, same second: a cached compilation would still be the old one.
    (folder / "strategy.py").write_text(GOOD.replace("f.close > f.open", "f.close < f.open"))
    after = load_strategy(folder)
    assert before.code_sha256 != after.code_sha256
    assert type(before.strategy) is not type(after.strategy)
    assert not list(folder.rglob("*.pyc"))


def test_two_strategies_of_one_name_do_not_get_in_each_others_way(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "gap"
    other.mkdir(parents=True)
    (other / "strategy.py").write_text(GOOD.replace("class Gap", "class Other"))
    (other / "config.json").write_text(json.dumps(CONFIG))
    assert load_strategy(folder).strategy.name() == "Gap"
    assert load_strategy(other).strategy.name() == "Other"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (f"{HEAD}x = 1 / 0\n", "strategy.py, line 5, while loading it: ZeroDivisionError"),
        (f"{HEAD}class Gap(Strategy:\n", "strategy.py, line 5, while loading it: SyntaxError"),
        (f"{HEAD}import nonsense\n", "strategy.py, line 5, while loading it: ModuleNotFoundError"),
        ("x = '\xff'\n".encode("latin-1").decode("latin-1"), "defines 0 strategies (none), not one"),
        (HEAD, "defines 0 strategies (none), not one"),
        (f"{GOOD}\nclass Other(Gap):\n    pass\n", "defines 2 strategies (Gap, Other), not one"),
        (f"{HEAD}class Gap(Strategy):\n    pass\n", "it never enters"),
        (
            f"{HEAD}class Gap(Strategy):\n    def enter_longs(self, f, p):\n        return None\n",
            "nothing calls 'enter_longs'; did you mean 'enter_long'?",
        ),
        (
            f"{GOOD}    def exit(self, f, p):\n        return None\n    def plans(self, f, p):\n        return None\n",
            "nothing calls 'plans'; did you mean 'plan'?",
        ),
        (
            f"{HEAD}class Gap(Strategy):\n    def enter_long(self, f):\n        return None\n",
            "'enter_long' takes (self, f); it is called with (self, f, p)",
        ),
        (
            f"{GOOD}    def plan(self, f, p, extra):\n        return None\n",
            "'plan' takes (self, f, p, extra); it is called with (self, f, p)",
        ),
        (
            f"{HEAD}class Gap(Strategy):\n    async def enter_long(self, f, p):\n        return None\n",
            "'enter_long' must return its answer: it is an async function",
        ),
        (
            f"{GOOD}    def features(self, bars, p):\n        yield 1\n",
            "'features' must return its answer: it is a generator",
        ),
        (f"{GOOD}    plan = 3\n", "'plan' is not a plain method"),
        (
            f"{GOOD}    def decide(self, now, p):\n        return None\n",
            "it decides twice: in enter_long and in decide",
        ),
        (
            f"{HEAD}class Gap(Strategy):\n    def wake(self, f, p):\n        return None\n",
            "wake says when to call decide, but there is no decide",
        ),
        (
            f"{GOOD}    def exit_short(self, f, p):\n        return None\n",
            "'exit_short' is never asked: there is no enter_short",
        ),
        (
            f"{GOOD}    class Parameters:\n        pass\n",
            "'Parameters' does not derive from magellan.strategy.contract.Parameters",
        ),
        (
            f"{GOOD}    class Parameters(Parameters, extra='ignore'):\n        n: int = 1\n",
            "'Parameters' allows unknown keys",
        ),
        (
            f"{GOOD}    class Parameters(Parameters, strict=False):\n        n: int = 1\n",
            "'Parameters' is not strict",
        ),
        (
            f"{GOOD}    def __init__(self):\n        raise ValueError('no')\n",
            "while making the strategy: ValueError: no",
        ),
    ],
)
def test_what_would_fail_later_is_refused_when_it_is_loaded_incident_3(
    folder: Path, code: str, told: str
) -> None:
    assert told in refused(folder, code)


def test_methods_of_ones_own_are_welcome(folder: Path) -> None:
    (folder / "strategy.py").write_text(f"{GOOD}    def gap_size(self, f):\n        return f.open\n")
    assert load_strategy(folder).strategy.gap_size is not None


@pytest.mark.parametrize("form", ["    def decide(self, now, p):\n        return None\n"])
def test_a_strategy_may_decide_in_python(folder: Path, form: str) -> None:
    (folder / "strategy.py").write_text(f"{HEAD}class Gap(Strategy):\n{form}")
    assert load_strategy(folder).decides_in_python


def test_a_folder_without_code_or_config_says_which(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FixInput, match=r"nowhere/strategy\.py does not exist"):
        load_strategy(tmp_path / "nowhere")
    (folder / "config.json").unlink()
    with pytest.raises(FixInput, match=r"config\.json does not exist"):
        load_strategy(folder)


def test_the_name_in_the_config_is_the_folders(folder: Path) -> None:
    configured(folder, strategy={"name": "other", "version": "1.0.0", "kind": "trend"})
    with pytest.raises(FixInput, match=r"strategy\.name is 'other', but the folder is called 'gap'"):
        load_strategy(folder)


def test_unknown_keys_and_parameters_are_found_before_any_order_incident_13(folder: Path) -> None:
    configured(folder, monitoring={"log_level": "INFO"})
    with pytest.raises(FixInput, match="monitoring: unknown key"):
        load_strategy(folder)
    configured(folder, parameters={"rsi_period": 14})
    with pytest.raises(FixInput, match=r"parameters\.rsi_period: unknown key; allowed: no key at all"):
        load_strategy(folder)


def test_a_missing_parameter_is_found_before_any_order_incident_13(folder: Path) -> None:
    (folder / "strategy.py").write_text(
        f"{GOOD}    class Parameters(Parameters):\n        log_directory: str\n"
    )
    with pytest.raises(FixInput, match=r"parameters\.log_directory: is missing"):
        load_strategy(folder)


def test_a_validator_of_the_strategys_own_that_fails_is_told_at_its_line(folder: Path) -> None:
    code = (
        f"from pydantic import model_validator\n{GOOD}"
        "    class Parameters(Parameters):\n"
        "        n: int = 1\n"
        "        @model_validator(mode='after')\n"
        "        def _check(self):\n"
        "            return self.nonsense\n"
    )
    assert "while checking its parameters: AttributeError" in refused(folder, code)
