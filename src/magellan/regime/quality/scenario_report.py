"""Scenario report: the filter on bars whose truth is known, beside the oracle that knows the true parameters.

The second half of the bars is labelled causally and scored. The model is fitted on the first half, and then either
frozen, as others' models were measured, or fitted again on the product's own calendar. After every fit, found states
are named on bars that were past by then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.regime.config import DecisionConfig, RegimeConfig
from magellan.regime.day_profile import DayProfile
from magellan.regime.decision import Decider, expected_right
from magellan.regime.fitting import fit, fit_states
from magellan.regime.frozen_filter import state_probabilities
from magellan.regime.markov_filter import GROWN
from magellan.regime.markov_model import MarkovModel, aligned
from magellan.regime.observed import observed_of
from magellan.regime.quality.calibration import Calibration, calibration
from magellan.regime.quality.path_score import names_of_states, path_score
from magellan.regime.quality.scenario import Scenario, scenario
from magellan.trading.bar import Floats
from magellan.trading.session import session_columns

DIAL: Final = (0.0, 0.25, 0.375, 0.5, 0.625, 0.75)
Progress = Callable[[str, float, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DialPosition:
    """What one position of the dial costs and saves; means over seeds."""

    stability: float
    share_of_oracle: float  # accuracy over the oracle's
    delay_median_bars: float
    wrong_switches: float  # per 1,000 bars
    switches: float  # per 1,000 bars


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioReport:
    """One scenario over several seeds."""

    name: str
    seeds: tuple[int, ...]
    states_true: int
    states_given: (
        bool  # the number of states was told, as it is to other models; else it was chosen by the evidence
    )
    frozen: bool  # fitted once, on the first half
    states_found: tuple[int, ...]  # per seed, by the last fit
    regimes_found: float  # share of seeds in which two or more states were found, or would have been
    oracle_accuracy: float
    oracle_delay_median_bars: float
    oracle_wrong_switches: float  # per 1,000 bars
    true_switches: float  # per 1,000 bars
    dial: tuple[DialPosition, ...]
    share_of_oracle_min: float  # the worst seed's, at arg max
    calibration: Calibration | None  # of all seeds together; None where the truth is one state


def scenario_report(
    name: str,
    seeds: Sequence[int],
    config: RegimeConfig,
    *,
    states_given: bool,
    frozen: bool = False,
    progress: Progress = lambda phase, done, total: None,
) -> ScenarioReport:
    """Measure one scenario. The dial's positions are those of `DIAL` and the config's own."""
    dial = sorted({*DIAL, config.decision.stability})
    rows: dict[float, list[tuple[float, float, float, float]]] = {position: [] for position in dial}
    oracle: list[tuple[float, float, float, float]] = []
    found, beliefs, truths = [], [], []
    states = 1
    for done, seed in enumerate(seeds):
        progress(name, done, len(seeds))
        made = scenario(name, seed)
        states = made.states
        half = len(made.truth) // 2
        spans = _labelled(made, config, half, states_given=states_given and states > 1, frozen=frozen)
        found.append(spans[-1].model.states)
        truth = made.truth[half:]
        best = path_score(made.oracle[half:], truth)
        oracle.append((best.accuracy, best.delay_median_bars, best.wrong_switches, best.true_switches))
        for position in dial:
            score = path_score(_decided(spans, position), truth)
            rows[position].append(
                (
                    score.accuracy / best.accuracy,
                    score.delay_median_bars,
                    score.wrong_switches,
                    score.switches,
                )
            )
        if states > 1:
            beliefs.append(np.concatenate([span.beliefs for span in spans]))
            truths.append(truth)
    progress(name, len(seeds), len(seeds))
    means = np.nanmean(np.array(oracle), axis=0) if states > 1 else np.array([1.0, np.nan, 0.0, 0.0])
    return ScenarioReport(
        name=name,
        seeds=tuple(seeds),
        states_true=states,
        states_given=states_given,
        frozen=frozen,
        states_found=tuple(found),
        regimes_found=float(np.mean([each > 1 for each in found])),
        oracle_accuracy=float(means[0]),
        oracle_delay_median_bars=float(means[1]),
        oracle_wrong_switches=float(means[2]),
        true_switches=float(means[3]),
        dial=tuple(_position(position, rows[position]) for position in dial),
        share_of_oracle_min=min(row[0] for row in rows[0.0]),
        calibration=calibration(np.concatenate(beliefs), np.concatenate(truths)) if beliefs else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Span:
    """Bars that one fit judged."""

    model: MarkovModel
    beliefs: Floats  # (bars, true states): probabilities by the names that the past gave the found states
    stay: Floats  # (true states, true states): the fit's moves, by those names


def _labelled(
    made: Scenario, config: RegimeConfig, half: int, *, states_given: bool, frozen: bool
) -> list[_Span]:
    session = session_columns(made.bars)
    observed = observed_of(made.bars, session, DayProfile(config.filter.day_profile_sessions))
    n = len(observed)
    calendar = (half + np.flatnonzero(session.first[half:]))[:: config.filter.refit_every_sessions].tolist()
    edges = [half] if frozen else sorted({half, *calendar})
    spans: list[_Span] = []
    model: MarkovModel | None = None
    searched = 0
    for start, end in zip(edges, [*edges[1:], n], strict=True):
        past = observed.rows(slice(max(0, start - config.filter.fit_window_bars), start))
        if states_given and model is None:
            model = fit_states(past, config.filter, made.states)
        elif states_given or (model is not None and start < GROWN * searched):
            model = aligned(fit(past, config.filter, like=model), model)
        else:
            model, searched = aligned(fit(past, config.filter), model), start
        first = start - len(past)
        probabilities, _ = state_probabilities(model, observed.rows(slice(first, end)))
        names = names_of_states(
            probabilities[: len(past)].argmax(axis=1),
            made.truth[first:start],
            found=model.states,
            states=made.states,
        )
        member = np.zeros((model.states, made.states))
        member[np.arange(model.states), names] = 1.0
        spans.append(
            _Span(
                model=model,
                beliefs=probabilities[len(past) :] @ member,
                stay=_stay_by_name(model, member),
            )
        )
    return spans


def _stay_by_name(model: MarkovModel, member: Floats) -> Floats:
    """Moves between names; a name that no state bears is left at once."""
    weight = member * model.usual_share[:, None]
    share = weight.sum(axis=0)
    moves = weight.T @ model.stay @ member
    even = np.full_like(moves, 1.0 / len(moves))
    return np.where(share[:, None] > 0.0, moves / np.where(share > 0.0, share, 1.0)[:, None], even)


def _decided(spans: list[_Span], stability: float) -> NDArray[np.int64]:
    """One path of labels over spans whose states bear the same names."""
    decider = Decider(DecisionConfig(stability=stability), likelier_than=0.5)
    paths = []
    for span in spans:
        nothing = np.zeros(len(span.beliefs))
        labels = decider.labels(
            np.ascontiguousarray(span.beliefs), expected_right(span.stay), nothing.astype(bool), nothing
        )
        paths.append(labels[:, 0].astype(np.int64))
    return np.concatenate(paths)


def _position(stability: float, rows: list[tuple[float, float, float, float]]) -> DialPosition:
    share, delay, wrong, switches = (np.array(column) for column in zip(*rows, strict=True))
    return DialPosition(
        stability=stability,
        share_of_oracle=float(share.mean()),
        delay_median_bars=float(delay[np.isfinite(delay)].mean())
        if np.isfinite(delay).any()
        else float("nan"),
        wrong_switches=float(wrong.mean()),
        switches=float(switches.mean()),
    )
