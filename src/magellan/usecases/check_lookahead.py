"""Check a strategy for look-ahead: what it computes on a part of history, and what a replay makes of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from magellan.archive.actions import CorporateActionTable
from magellan.backtest.prefix_replay import ReplayCheck, check_replay
from magellan.backtest.run import must_match_timeframe, terms_of
from magellan.ports.bars import BarArchive
from magellan.strategy.lookahead import LookaheadReport
from magellan.strategy.lookahead import check_lookahead as check_columns
from magellan.trading.session import SessionClock
from magellan.usecases.load_strategy import LoadedStrategy
from magellan.usecases.prepare_run import CalendarOf, PreparedData, prepare_data
from magellan.workspace.user_code import user_code

Progress = Callable[[str, float, float], None]  # (phase, done, total)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LookaheadAnswer:
    """What was compared, and what differed."""

    columns: LookaheadReport  # features, conditions and plans; decisions in Python, one bar at a time
    replay: ReplayCheck  # decisions and fills, through the engine

    @property
    def passed(self) -> bool:
        return self.columns.passed and self.replay.passed

    @property
    def compared(self) -> int:
        """How many values, decisions and fills."""
        return self.columns.values + self.replay.decisions + self.replay.fills

    @property
    def findings(self) -> tuple[str, ...]:
        """Every finding in a sentence; what the strategy computes before what came of it."""
        difference = self.replay.difference
        return (*self.columns.findings, *([] if difference is None else [str(difference)]))


def check_lookahead(
    loaded: LoadedStrategy,
    *,
    archive: BarArchive,
    actions: CorporateActionTable,
    calendar_of: CalendarOf,
    from_on: date | None = None,
    to_on: date | None = None,
    cuts: int,
    seed: int,
    progress: Progress = lambda phase, done, total: None,
) -> LookaheadAnswer:
    """Check a strategy for look-ahead on the archive's bars.

    cuts: prefixes per symbol for the columns, and as many of all symbols together for the engine.
    seed: decides where they end.
    Raises: what `backtest` raises for strategy and data; FixInput when there are too few bars to cut.
    """
    config = loaded.config
    data = prepare_data(
        config, archive=archive, actions=actions, calendar_of=calendar_of, from_on=from_on, to_on=to_on
    )
    must_match_timeframe(data.market, config)
    return check_lookahead_on(loaded, data, prefixes=cuts, replays=cuts, seed=seed, progress=progress)


def check_lookahead_on(
    loaded: LoadedStrategy,
    data: PreparedData,
    *,
    prefixes: int,
    replays: int,
    seed: int = 0,
    progress: Progress = lambda phase, done, total: None,
) -> LookaheadAnswer:
    """The same on data that is prepared already.

    prefixes: per symbol, for the columns.
    replays:  of prefixes of all symbols together.
    Raises:   FixInput when there are too few bars to cut, or naming the line of strategy.py that failed.
    """
    terms = loaded.config.data
    with user_code(loaded.folder.strategy_file, "checking it for look-ahead"):
        columns = check_columns(
            loaded.strategy,
            data.market.bars,
            loaded.parameters,
            clock=SessionClock(terms.clock),
            calendar=data.calendar,
            reference=data.reference,
            warmup_bars=terms.warmup_bars,
            prefixes=prefixes,
            seed=seed,
            progress=lambda done, total: progress("look-ahead: columns", done, total),
        )
        replay = check_replay(
            loaded.strategy,
            data.market,
            loaded.parameters,
            terms_of(loaded.config),
            clock=SessionClock(terms.clock),
            calendar=data.calendar,
            reference=data.reference,
            breaks=data.breaks,
            actions=data.actions,
            cuts=replays,
            seed=seed,
            progress=lambda done, total: progress("look-ahead: replays", done, total),
        )
    return LookaheadAnswer(columns=columns, replay=replay)
