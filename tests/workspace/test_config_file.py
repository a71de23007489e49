"""The config file: read strictly, and every mistake told at once by place, what was found and what is allowed."""

import json
from datetime import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from magellan.errors import FixInput
from magellan.workspace.config import StrategyConfig
from magellan.workspace.config_file import (
    canonical_json,
    config_schema,
    config_sha256,
    parse_config,
    read_config,
    symbol_parameters,
)

SMALLEST: dict[str, Any] = {
    "strategy": {"name": "opening_gap", "version": "1.0.0", "kind": "trend"},
    "symbols": ["AMC", "GME"],
}


class Levels(BaseModel):
    """Nested parameters."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    upper: float = 55.0


class Rules(BaseModel):
    """A strategy's parameters."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    rsi_period: int = Field(ge=2, description="bars")
    levels: Levels = Levels()
    leave_at: time = time(15, 55)
    steps: tuple[float, ...] = (0.4, 0.3)


def parsed(**changed: Any) -> StrategyConfig:
    return parse_config(json.dumps({**SMALLEST, **changed}), name="config.json")


def refusal(**changed: Any) -> str:
    with pytest.raises(FixInput) as caught:
        parsed(**changed)
    return caught.value.message


def parameters(config: StrategyConfig) -> dict[str, Rules]:
    return symbol_parameters(config, Rules, name="config.json")


def test_the_smallest_config_has_honest_defaults() -> None:
    config = parsed()
    assert config.execution.fill == "next-open"
    assert config.execution.stop_fill == "gap-aware"
    assert config.misleading() == ()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"risk_management": {"max_daily_loss_pct": 0.1}},
            "config.json: risk_management: unknown key; allowed: $schema, strategy, symbols, parameters, ",
        ),
        (
            {"limits": {"trades_per_day": 3}},
            "limits.trades_per_day: unknown key (did you mean 'trades_per_day_max'?)",
        ),
        ({"slippage_bps": 5}, "slippage_bps: unknown key (it belongs to execution); allowed: "),
        ({"execution": {"fill": "open"}}, "execution.fill: found \"open\"; allowed: 'next-open' or 'close'"),
        ({"execution": {"slippage_bps": "5"}}, 'execution.slippage_bps: found "5"; allowed: a valid number'),
        (
            {"execution": {"slippage_bps": -1}},
            "execution.slippage_bps: found -1; allowed: greater than or equal to 0",
        ),
        ({"account": {"cash_usd": None}}, "account.cash_usd: found null; allowed: a valid number"),
        ({"symbols": []}, "symbols: found []; allowed: at least 1"),
        ({"symbols": ["AMC", "AMC"]}, 'symbols: found ["AMC", "AMC"]; listed twice: AMC'),
        ({"symbols": "AMC"}, 'symbols: found "AMC"; allowed: '),
        (
            {"data": {"timeframe": "1Minute"}},
            'data.timeframe: found "1Minute"; allowed: text that matches ^[1-9]',
        ),
        ({"data": {"timeframe": "48Hour"}}, "data.timeframe: 2 days in one bar"),
        ({"data": None}, "data: found null; allowed: an object"),
        (
            {"symbol_parameters": {"TSLA": {}}},
            "symbol_parameters.TSLA: TSLA is not one of `symbols` (AMC, GME)",
        ),
        ({"instruments": {"TSLA": {}}}, "instruments.TSLA: TSLA is neither one of `symbols`"),
        (
            {"instruments": {"AMC": {"tick": 0.01}}},
            "instruments.AMC.tick: unknown key (did you mean 'tick_size'?)",
        ),
        ({"data": {"reference_symbols": ["AMC"]}}, "data.reference_symbols: AMC is one of `symbols` already"),
        ({"account": {"leverage": 2.0}}, "account.leverage: 2 needs account.kind margin"),
        (
            {"strategy": {"name": "opening_gap", "version": "1.0.0", "kind": "intraday"}},
            "strategy.kind: an intraday strategy leaves within the session, but data.timeframe is 1Day",
        ),
        ({"strategy": {"name": "Opening Gap", "version": "1", "kind": "trend"}}, "strategy.name: found"),
        ({"strategy": {"name": "opening_gap", "kind": "trend"}}, "strategy.version: is missing"),
        (
            {"gates": {"loosened": [{"criterion": "sharpe_min", "form": 1}]}},
            "gates.loosened[0].form: unknown key (did you mean 'from'?)",
        ),
        ({"gates": {"trades_min": 0}}, "gates.trades_min: found 0; allowed: greater than or equal to 1"),
        ({"gates": {"version": 2}}, "gates.version: found 2; allowed: 1"),
    ],
)
def test_a_mistake_is_told_with_its_place_what_was_found_and_what_is_allowed_incident_13(
    changed, told: str
) -> None:
    assert told in refusal(**changed)


def test_a_missing_key_is_found_before_anything_runs_incident_13() -> None:
    with pytest.raises(FixInput) as caught:
        parse_config('{"symbols": ["AMC"]}', name="config.json")
    assert caught.value.message == "config.json: strategy: is missing"


def test_all_mistakes_are_told_at_once() -> None:
    told = refusal(symbols=[], nonsense=1, execution={"fill": "open", "slipage_bps": 1}, limits={"x": 1})
    assert told.startswith("config.json: 5 problems\n")
    for place in ("symbols", "nonsense", "execution.fill", "execution.slipage_bps", "limits.x"):
        assert f"\n  {place}: " in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "config.json, line 1, column 2: "),
        ('{\n  "symbols": ["AMC",]\n}', "config.json, line 2, column "),
        ("[]", "config.json: found []; allowed: an object, {...}"),
        ("3", "config.json: found 3; allowed: an object"),
        ('{"symbols": ["AMC"], "symbols": []}', "config.json: symbols: stands there more than once"),
        ('{"data": {"feed": "sip", "feed": "iex"}}', "config.json: data.feed: stands there more than once"),
        ('{"a": [{"b": 1, "b": 1}]}', "config.json: a[0].b: stands there more than once"),
        ('{"account": {"cash_usd": NaN}}', "config.json: NaN is not a number that JSON knows"),
        ('{"account": {"cash_usd": -Infinity}}', "config.json: -Infinity is not a number that JSON knows"),
        ('{"a":' * 100_000, "config.json: nested too deeply to be a config"),
    ],
)
def test_what_is_no_sound_json_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(FixInput) as caught:
        parse_config(text, name="config.json")
    assert caught.value.message.startswith(told)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8 text"),
        (None, "does not exist"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FixInput) as caught:
        read_config(path)
    assert str(path) in caught.value.message
    assert told in caught.value.message


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(FixInput, match="is not a file"):
        read_config(tmp_path)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(SMALLEST).encode())
    assert read_config(path).symbols == ("AMC", "GME")


# --- parameters


def test_each_symbol_has_the_common_parameters_and_its_own_in_the_order_of_symbols() -> None:
    found = parameters(
        parsed(
            parameters={"rsi_period": 14},
            symbol_parameters={"GME": {"rsi_period": 28, "levels": {"upper": 60.0}}},
        )
    )
    assert list(found) == ["AMC", "GME"]
    assert (found["AMC"].rsi_period, found["GME"].rsi_period) == (14, 28)
    assert (found["AMC"].levels.upper, found["GME"].levels.upper) == (55.0, 60.0)


def test_parameters_are_written_the_way_json_writes_them() -> None:
    found = parameters(parsed(parameters={"rsi_period": 14, "leave_at": "15:30", "steps": [0.5, 0.5]}))
    assert found["AMC"].leave_at == time(15, 30)
    assert found["AMC"].steps == (0.5, 0.5)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"parameters": {"rsi_perod": 14}}, "parameters.rsi_perod: unknown key (did you mean 'rsi_period'?)"),
        ({"parameters": {}}, "parameters.rsi_period: is missing (bars)"),
        ({"parameters": {"rsi_period": 14.5}}, "parameters.rsi_period: found 14.5; allowed: a valid integer"),
        ({"parameters": {"rsi_period": "14"}}, 'parameters.rsi_period: found "14"; allowed: a valid integer'),
        (
            {"parameters": {"rsi_period": 14}, "symbol_parameters": {"GME": {"rsi_period": 1}}},
            "symbol_parameters.GME.rsi_period: found 1; allowed: greater than or equal to 2",
        ),
        (
            {"parameters": {"rsi_period": 14, "levels": {"uper": 1.0}}},
            "parameters.levels.uper: unknown key (did you mean 'upper'?); allowed: upper",
        ),
    ],
)
def test_parameters_are_checked_by_the_strategys_own_model_incident_13(changed, told: str) -> None:
    with pytest.raises(FixInput) as caught:
        parameters(parsed(**changed))
    assert told in caught.value.message


def test_a_common_mistake_is_told_once_and_not_for_every_symbol() -> None:
    with pytest.raises(FixInput) as caught:
        parameters(parsed(symbols=[f"S{n}" for n in range(30)], parameters={"rsi_period": 0}))
    assert (
        caught.value.message
        == "config.json: parameters.rsi_period: found 0; allowed: greater than or equal to 2"
    )


# --- schema and digest


def test_the_schema_accepts_what_we_accept_and_refuses_what_we_refuse() -> None:
    schema = config_schema(Rules)
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema).is_valid
    good = {
        **SMALLEST,
        "parameters": {"rsi_period": 14},
        "symbol_parameters": {"GME": {"levels": {"upper": 60.0}}},
    }
    assert check(good)
    assert check({**good, "$schema": "config.schema.json"})
    assert not check({**good, "parameters": {"rsi_perod": 14}})
    assert not check({**good, "symbol_parameters": {"GME": {"rsi_period": 1}}})
    assert not check({**good, "limits": {"trades_per_day": 3}})
    assert not check({**good, "execution": {"fill": "open"}})


def test_the_digest_is_of_what_a_config_means_and_not_of_its_spelling() -> None:
    base = config_sha256(parsed())
    assert config_sha256(parsed(**{"$schema": "config.schema.json"})) == base
    assert config_sha256(parsed(execution={"fill": "next-open"})) == base  # the default, stated
    assert config_sha256(parse_config(json.dumps(SMALLEST, indent=4, sort_keys=True), name="x")) == base
    assert config_sha256(parsed(execution={"fill": "close"})) != base
    assert config_sha256(parsed(symbols=["GME", "AMC"])) != base


@given(
    st.dictionaries(
        st.text(), st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
    )
)
def test_canonical_json_reads_back_and_does_not_depend_on_order(document: dict[str, object]) -> None:
    assert json.loads(canonical_json(document)) == document
    assert canonical_json(dict(reversed(document.items()))) == canonical_json(document)
