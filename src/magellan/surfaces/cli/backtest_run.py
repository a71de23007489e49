"""What `magellan backtest` and a strategy's runner.py do alike: run, show, keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magellan.surfaces.cli.output import jsonable, note, print_json, progress_bars
from magellan.surfaces.cli.run_options import chosen_strategy

if TYPE_CHECKING:
    from magellan.backtest.regime_breakdown import RegimeRow
    from magellan.backtest.result import BacktestResult
    from magellan.workspace.workspace import Workspace


def run_and_show(
    workspace: Workspace,
    named: str,
    *,
    symbols: str | None,
    from_on: date | None,
    to_on: date | None,
    settings: Mapping[str, Any],
    keep: bool,
    json_file: Path | None,
    by_regime: bool = False,
) -> None:
    """Run a strategy over the workspace's archive, and show what came of it."""
    from magellan.backtest.run_json import run_to_json
    from magellan.surfaces.cli.backtest_tables import show_regimes, show_run
    from magellan.usecases.backtest import backtest
    from magellan.usecases.keep_run import keep_run, measured
    from magellan.wiring.market import bar_archive, calendar_of, corporate_actions
    from magellan.wiring.research import run_store

    loaded = chosen_strategy(workspace, named, symbols, settings)
    note_compiling()
    with progress_bars() as bars:
        result = backtest(
            loaded,
            archive=bar_archive(workspace),
            actions=corporate_actions(workspace),
            calendar_of=calendar_of,
            from_on=from_on,
            to_on=to_on,
            progress=bars.report,
        )
        bars.report("measure and report", 0, 1)
        run = measured(result)
        regimes = _regimes(result, workspace) if by_regime else ()
        folder = keep_run(result, run, run_store(workspace), regimes) if keep else None
        bars.report("measure and report", 1, 1)
    if json_file == Path("-"):
        print_json({**run_to_json(run), **({"by_regime": regimes} if by_regime else {})})
    else:
        show_run(run)
        if regimes:
            show_regimes(regimes)
        if json_file is not None:
            _write_json(json_file, {**run_to_json(run), **({"by_regime": regimes} if by_regime else {})})
    if folder is not None:
        note(f"run {run.run_id} is kept; report: {folder / 'report.html'}")


def _regimes(result: BacktestResult, workspace: Workspace) -> tuple[RegimeRow, ...]:
    """The result by regime, of the model that the workspace's regime.toml describes."""
    from magellan.backtest.regime_breakdown import by_regime
    from magellan.usecases.regime_settings import regime_config

    return by_regime(result, regime_config(None, workspace.root))


def note_compiling() -> None:
    """Say that the first run on a machine compiles, before it seems to hang."""
    from magellan.compiled import cache_folder

    if not cache_folder().exists():
        note("first run of this version: compiling the engine once, about ten seconds")


def _write_json(path: Path, document: dict[str, Any]) -> None:
    from magellan.wiring.research import write_file

    text = json.dumps(jsonable(document), indent=2, ensure_ascii=False, allow_nan=False)
    write_file(path, text.encode() + b"\n", kept="the file that was there before")
