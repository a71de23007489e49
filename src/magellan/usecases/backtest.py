"""Backtest: a strategy from its folder, bars from the archive, a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from typing import Any

from magellan.archive.actions import CorporateActionTable, written
from magellan.backtest.market import Market
from magellan.backtest.result import BacktestResult, RunManifest
from magellan.backtest.run import run_backtest, versions
from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.usecases.load_strategy import LoadedStrategy
from magellan.usecases.prepare_run import CalendarOf, PreparedData, Progress, prepare_data
from magellan.workspace.config_file import config_sha256, parse_config, symbol_parameters
from magellan.workspace.user_code import user_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a command line changes of a strategy's config, for one run."""

    symbols: tuple[str, ...] = ()  # empty: those of the config
    settings: Mapping[str, Any] | None = (
        None  # by key path, for example {"data.hours": "all", "rsi_period": 14}
    )


def changed(loaded: LoadedStrategy, changes: Changes) -> LoadedStrategy:
    """The strategy with another config. A key without a dot is one of the strategy's own parameters.

    A parameter that is set so holds for every symbol, also where the config has one for that symbol.
    Raises FixInput for a key that does not exist and for a value that is not allowed.
    """
    if not changes.symbols and not changes.settings:
        return loaded
    document: dict[str, Any] = loaded.config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for path, value in (changes.settings or {}).items():
        _set(document, path, value, tuple(type(loaded.strategy).Parameters.model_fields))
    if changes.symbols:
        document["symbols"] = list(changes.symbols)
        for section in ("symbol_parameters", "instruments"):
            held = document.get(section, {})
            document[section] = {symbol: held[symbol] for symbol in held if symbol in changes.symbols}
    name = f"{loaded.folder.config_file} as changed for this run"
    try:
        config = parse_config(json.dumps(document), name=name)
        parameters = symbol_parameters(config, type(loaded.strategy).Parameters, name=name)
    except FixInput as error:
        error.kept, error.next_step = "the config file, as it is", "change the option, then run again"
        raise
    return replace(loaded, config=config, parameters=parameters, config_sha256=config_sha256(config))


def backtest(
    loaded: LoadedStrategy,
    *,
    archive: BarArchive,
    actions: CorporateActionTable,
    calendar_of: CalendarOf,
    from_on: date | None = None,
    to_on: date | None = None,
    progress: Progress = lambda phase, done, total: None,
) -> BacktestResult:
    """Run a loaded strategy over the archive.

    from_on, to_on: exchange dates, both included; None leaves that side open.
    Raises: SetNotFound, FixInput for bars that are not there, or too few to get behind the warm-up; AskOperator when
    a position would be held through a jump that no corporate action explains.
    """
    data = prepare_data(
        loaded.config,
        archive=archive,
        actions=actions,
        calendar_of=calendar_of,
        from_on=from_on,
        to_on=to_on,
        progress=progress,
    )
    _refuse_warm_up_alone(loaded.config.data.warmup_bars, data.market)
    progress("replay", 0, 1)
    result = backtest_on(loaded, data, actions, from_on=from_on, to_on=to_on)
    progress("replay", 1, 1)
    return result


def _refuse_warm_up_alone(warmup_bars: int, market: Market) -> None:
    """A run that can enter nothing would say that the strategy made no trade."""
    most = max(len(bars) for bars in market)
    if most <= warmup_bars:
        raise FixInput(
            f"{most:,} bars are all within data.warmup_bars ({warmup_bars:,}): nothing could be entered on any of them",
            next_step="begin earlier with --from (what comes before the warm-up's end is read, not traded), "
            "or lower data.warmup_bars",
        )


def backtest_on(
    loaded: LoadedStrategy,
    data: PreparedData,
    actions: CorporateActionTable,
    *,
    from_on: date | None = None,
    to_on: date | None = None,
) -> BacktestResult:
    """Run a loaded strategy on data that is prepared already.

    Raises: also FixInput naming the line of strategy.py that failed.
    """
    manifest = manifest_of(loaded, data, actions, from_on, to_on)
    with user_code(loaded.folder.strategy_file, "running it"):
        return run_backtest(
            loaded.strategy,
            data.market,
            loaded.config,
            loaded.parameters,
            manifest,
            calendar=data.calendar,
            reference=data.reference,
            breaks=data.breaks,
            actions=data.actions,
        )


def manifest_of(
    loaded: LoadedStrategy,
    data: PreparedData,
    actions: CorporateActionTable,
    from_on: date | None,
    to_on: date | None,
) -> RunManifest:
    """Everything that fixes the result of that run."""
    symbols = {*loaded.config.symbols, *loaded.config.data.reference_symbols}
    in_force = CorporateActionTable(tuple(action for action in actions.actions if action.symbol in symbols))
    return RunManifest(
        strategy=loaded.config.strategy.name,
        strategy_version=loaded.config.strategy.version,
        code_sha256=loaded.code_sha256,
        config_sha256=loaded.config_sha256,
        config=loaded.config.model_dump(mode="json", by_alias=True),
        data=data.used,
        actions_sha256=hashlib.sha256(written(in_force).encode()).hexdigest(),
        from_on=from_on,
        to_on=to_on,
        versions=versions(),
        seed=0,
    )


def parse_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """Read `key=value` words. A value is JSON where it can be (14, true, null, [1, 2]), else text as it stands."""
    settings: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise FixInput(
                f"'{assignment}' is not a setting", next_step="write it as key=value, e.g. rsi_period=14"
            )
        settings[key.strip()] = json_or_text(text.strip())
    return settings


def json_or_text(text: str) -> Any:
    """The value that JSON text stands for, or the text itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _set(document: dict[str, Any], path: str, value: Any, parameters: tuple[str, ...]) -> None:
    """Put a value at a key path of a config document."""
    if "." not in path:
        if path not in parameters:
            near = get_close_matches(path, parameters, n=1, cutoff=0.5)
            raise FixInput(
                f"the strategy has no parameter '{path}'",
                next_step=(f"did you mean '{near[0]}'? " if near else "")
                + f"it has: {', '.join(parameters) or 'none'}; other keys are written with their section, "
                "for example data.hours",
            )
        document.setdefault("parameters", {})[path] = value
        for own in document.get("symbol_parameters", {}).values():
            own.pop(path, None)
        return
    *sections, key = path.split(".")
    at = document
    for section in sections:
        at = at.setdefault(section, {})
        if not isinstance(at, dict):
            raise FixInput(f"'{path}': '{section}' is a value, not a section of the config")
    at[key] = value
