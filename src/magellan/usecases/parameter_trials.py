"""Parameter trials: the part of a sweep that runs wherever the executor puts it.

A `TrialJob` holds everything that a trial needs, as plain values: the strategy's source, the config, the bars. A
worker begins by running that source anew, so one on another machine needs nothing of ours but Magellan itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.backtest.market import Market
from magellan.backtest.parameter_space import Setting, describe, parameters_with
from magellan.backtest.run import point_values, terms_of, versions, views_of
from magellan.backtest.sweep import Sweep, summary_t
from magellan.backtest.walk_forward import Stretch, stretch_of
from magellan.errors import FixInput, MagellanError
from magellan.strategy.contract import Parameters, Strategy
from magellan.trading.bar import Bars, Mask
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar, SessionClock
from magellan.usecases.load_strategy import LoadedStrategy, read_code, run_code, strategy_class
from magellan.usecases.prepare_run import PreparedData
from magellan.workspace.config import StrategyConfig
from magellan.workspace.user_code import user_code

COLUMNS_BYTES_MAX: Final = 256 * 2**20  # of remembered columns, per worker and method of the strategy
COLUMNS_KEPT_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialJob:
    """What all trials of a sweep have in common."""

    code: bytes  # of strategy.py
    file: Path  # where it stood, for messages
    config: StrategyConfig
    names: tuple[str, ...]  # of the parameters that are varied
    bars: tuple[Bars, ...]
    reference: tuple[Bars, ...]
    calendar: ExchangeCalendar
    breaks: Mapping[str, Mask]
    actions: tuple[CorporateAction, ...]
    versions: Mapping[str, str]  # of everything whose change may change a result
    stretches: tuple[Stretch, ...]  # of sessions that trials run over; empty: all there is


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One parameter set on one stretch of the job."""

    stretch: int | None  # None: all there is
    setting: Setting


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a trial: one value per field of `summary_t`."""

    values: tuple[float | int, ...]


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A trial that could not be carried through."""

    reason: str


TrialAnswer = Measured | NotMeasured


def trial_job(
    loaded: LoadedStrategy, data: PreparedData, names: tuple[str, ...], stretches: Sequence[Stretch] = ()
) -> TrialJob:
    """The job for sets of those parameters. Raises FixInput when strategy.py has changed since it was loaded."""
    code = read_code(loaded.folder.strategy_file)
    if hashlib.sha256(code).hexdigest() != loaded.code_sha256:
        raise FixInput(
            f"{loaded.folder.strategy_file} has changed since this command began", next_step="run it again"
        )
    return TrialJob(
        code=code,
        file=loaded.folder.strategy_file,
        config=loaded.config,
        names=names,
        bars=data.market.bars,
        reference=data.reference,
        calendar=data.calendar,
        breaks=data.breaks,
        actions=data.actions,
        versions=versions(),
        stretches=tuple(stretches),
    )


def begin_trials(job: TrialJob) -> Callable[[Trial], TrialAnswer]:
    """A worker's function from trials to what came of them.

    Raises FixInput when this worker runs other versions than the machine that sent the job: its results might
    differ in the last digit, and nobody would see why.
    """
    here = versions()
    differ = [
        f"{name} {here.get(name)}, not {theirs}"
        for name, theirs in job.versions.items()
        if here.get(name) != theirs
    ]
    if differ:
        raise FixInput(
            f"a worker runs other versions than this machine: {'; '.join(differ)}",
            next_step="install the same versions there",
        )
    return _Worker(job)


def describe_trial(job: TrialJob) -> Callable[[Trial], str]:
    """How people call the job's trials."""
    return _Describe(job.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What a config says of all parameters but those that are varied.

    A parameter that is varied is varied for every symbol, also where the config has a value for that symbol.
    """

    names: tuple[str, ...]  # of the parameters that are varied
    distinct: tuple[Mapping[str, Any], ...]  # many symbols may share one
    of_symbol: Mapping[str, int]

    @classmethod
    def of(cls, config: StrategyConfig, names: tuple[str, ...]) -> Documents:
        distinct: list[Mapping[str, Any]] = []
        of_symbol: dict[str, int] = {}
        for symbol in config.symbols:
            both = {**config.parameters, **config.symbol_parameters.get(symbol, {})}
            rest = {name: value for name, value in both.items() if name not in names}
            if rest not in distinct:
                distinct.append(rest)
            of_symbol[symbol] = distinct.index(rest)
        return cls(names=names, distinct=tuple(distinct), of_symbol=of_symbol)

    def with_setting(self, model: type[Parameters], setting: Setting) -> dict[str, Parameters]:
        """Each symbol's parameters with one set's values in their places. Raises pydantic's ValidationError."""
        made = [parameters_with(model, document, self.names, setting) for document in self.distinct]
        return {symbol: made[at] for symbol, at in self.of_symbol.items()}


def summary_of(answers: Sequence[TrialAnswer]) -> NDArray[np.void]:
    """The answers as a table, shape (trials,) of `summary_t`; rows of trials that were not measured are zero."""
    table = np.zeros(len(answers), dtype=summary_t)
    for row, answer in enumerate(answers):
        if isinstance(answer, Measured):
            table[row] = answer.values
    return table


@dataclass(frozen=True, slots=True)
class _Describe:
    names: tuple[str, ...]

    def __call__(self, trial: Trial) -> str:
        stretch = "" if trial.stretch is None else f" in window {trial.stretch + 1}"
        return f"the parameter set {describe(self.names, trial.setting)}{stretch}"


class _Worker:
    """One worker's strategy and market, kept from trial to trial."""

    def __init__(self, job: TrialJob) -> None:
        self._job = job
        self._kind: type[Strategy] = strategy_class(run_code(job.code, job.file), job.file)
        self._documents = Documents.of(job.config, job.names)
        self._stretch: int | None = None  # of the sweep at hand
        self._symbols: tuple[str, ...] = ()
        self._sweep: Sweep | None = None

    def __call__(self, trial: Trial) -> TrialAnswer:
        job = self._job
        if self._sweep is None or trial.stretch != self._stretch:
            self._sweep = self._made(trial.stretch)
            self._stretch = trial.stretch
        try:
            with user_code(job.file, f"trying {describe(job.names, trial.setting)}"):
                each = self._documents.with_setting(self._kind.Parameters, trial.setting)
                found = self._sweep.summaries([[each[symbol] for symbol in self._symbols]])
        except MagellanError as error:
            # What a set that was broken off left behind is not carried into the next one.
            self._sweep = None
            return NotMeasured(error.message)
        return Measured(found[0].item())

    def _made(self, stretch: int | None) -> Sweep:
        job, config = self._job, self._job.config
        clock = SessionClock(config.data.clock)
        bars, reference, breaks = job.bars, job.reference, dict(job.breaks)
        if stretch is not None:
            part = stretch_of(job.stretches[stretch], bars, reference, breaks, clock)
            bars, reference, breaks = part.bars, part.reference, dict(part.breaks)
        market = Market.of(bars)
        self._symbols = market.symbols
        with user_code(job.file, "making the strategy"):
            strategy = self._kind()
        return Sweep(
            strategy,
            market,
            terms_of(config),
            views=views_of(market, clock=clock, calendar=job.calendar, reference=reference),
            breaks=[breaks.get(symbol) for symbol in market.symbols],
            actions=job.actions,
            point_values=point_values(market, config),
            keep=max(2, min(COLUMNS_KEPT_MAX, COLUMNS_BYTES_MAX // (8 * len(market)))),
        )
