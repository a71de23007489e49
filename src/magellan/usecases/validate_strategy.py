"""Validate a strategy: code, config, data and indicators, without an order and without a fill."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from magellan.archive.actions import CorporateActionTable
from magellan.backtest.decision_columns import DecisionColumns
from magellan.backtest.run import must_match_timeframe, views_of
from magellan.errors import MagellanError
from magellan.ports.bars import BarArchive
from magellan.strategy.contract import decides_in_python
from magellan.trading.session import SessionClock
from magellan.usecases.load_strategy import LoadedStrategy
from magellan.usecases.prepare_run import CalendarOf, PreparedData, dates_of, prepare_data
from magellan.workspace.user_code import user_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    passed: bool
    found: str  # in words, with figures


def validate_strategy(
    loaded: LoadedStrategy,
    *,
    archive: BarArchive,
    actions: CorporateActionTable,
    calendar_of: CalendarOf,
    from_on: date | None = None,
    to_on: date | None = None,
) -> tuple[Check, ...]:
    """Look at everything that a run needs, in order; what depends on a failed check is not looked at.

    The code and the config have been checked by loading them.
    from_on, to_on: exchange dates, both included; None leaves that side open.
    """
    config = loaded.config
    checks = [
        Check(name="code", passed=True, found=f"{loaded.strategy.name()}, sha256 {loaded.code_sha256[:12]}"),
        Check(
            name="config",
            passed=True,
            found=f"{_symbols(len(config.symbols))}, {config.data.timeframe} bars, {config.data.hours} hours, "
            f"sha256 {loaded.config_sha256[:12]}",
        ),
    ]
    try:
        data = prepare_data(
            config,
            archive=archive,
            actions=actions,
            calendar_of=calendar_of,
            from_on=from_on,
            to_on=to_on,
        )
        must_match_timeframe(data.market, config)
    except MagellanError as error:
        return (*checks, Check(name="data", passed=False, found=str(error)))
    checks.append(Check(name="data", passed=not data.jumps, found=_data_in_words(data)))
    try:
        with user_code(loaded.folder.strategy_file, "computing its indicators"):
            checks += _indicators(loaded, data)
    except MagellanError as error:
        checks.append(Check(name="indicators", passed=False, found=str(error)))
    return tuple(checks)


def _data_in_words(data: PreparedData) -> str:
    first, last = dates_of(data.market.bars[0])
    words = f"{len(data.market):,} bars of {_symbols(len(data.market.symbols))}, the first's from {first} to {last}"
    if any(used.generated for used in data.used):
        words += "; generated, not history"
    if data.jumps:
        words += "".join(f"\n{jump.symbol} {jump.at.isoformat()}: {jump.explanation}" for jump in data.jumps)
    return words


def _symbols(count: int) -> str:
    return "1 symbol" if count == 1 else f"{count} symbols"


def _indicators(loaded: LoadedStrategy, data: PreparedData) -> list[Check]:
    """Features must be defined on the newest bar, and decisions must have the right shape."""
    views = views_of(
        data.market,
        clock=SessionClock(loaded.config.data.clock),
        calendar=data.calendar,
        reference=data.reference,
    )
    undefined: list[str] = []
    signals = 0
    names: tuple[str, ...] = ()
    for view in views:
        columns = DecisionColumns(loaded.strategy, view)
        parameters = loaded.parameters[view.symbol]
        features = columns.features(parameters).columns
        names = tuple(features)
        for name, column in features.items():
            if column.dtype.kind == "f" and not np.isfinite(column).any():
                undefined.append(f"{view.symbol} {name}")
        decided = columns.decisions(parameters)
        for mask in (decided.enter_long, decided.enter_short, decided.wake):
            signals += 0 if mask is None else int(mask.sum())
    found = f"{', '.join(names) or 'none'}"
    if undefined:
        found += f"; never defined: {', '.join(undefined)}"
    kind = "bars that wake the decision" if decides_in_python(loaded.strategy) else "bars that want an entry"
    return [
        Check(name="indicators", passed=not undefined, found=found),
        Check(name="decisions", passed=True, found=f"{signals} {kind}"),
    ]
