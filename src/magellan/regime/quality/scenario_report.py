"""Scenario report: the filter on bars whose truth is known, beside the oracle that knows the true parameters.

The model is fitted on the first half of the bars and frozen; the second half is labelled causally and scored. Found
states are named on the first half. This is how others' models were measured, so that shares can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from magellan.regime.config import RegimeConfig
from magellan.regime.day_profile import DayProfile
from magellan.regime.fitting import fit, fit_states
from magellan.regime.frozen_filter import state_labels, state_probabilities
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
    states_found: tuple[int, ...]  # per seed
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
    progress: Progress = lambda phase, done, total: None,
) -> ScenarioReport:
    """Measure one scenario. The dial's positions are those of `DIAL` and the config's own."""
    dial = sorted({*DIAL, config.decision.stability})
    rows: dict[float, list[tuple[float, float, float, float]]] = {position: [] for position in dial}
    oracle: list[tuple[float, float, float, float]] = []
    found, evidence, beliefs, truths = [], [], [], []
    states = 1
    for done, seed in enumerate(seeds):
        progress(name, done, len(seeds))
        made = scenario(name, seed)
        states = made.states
        half = len(made.truth) // 2
        returns = deflated_returns(made, config)
        past = np.ascontiguousarray(returns[:half])
        if states_given and made.states > 1:
            model = fit_states(past, config.filter, made.states)
        else:
            model = fit(past, config.filter)
        found.append(model.states)
        evidence.append(model.evidence_for_regimes)
        probabilities, _ = state_probabilities(model, returns)
        most = probabilities.argmax(axis=1)
        names = names_of_states(most[:half], made.truth[:half], found=model.states, states=made.states)
        best = path_score(made.oracle[half:], made.truth[half:])
        oracle.append((best.accuracy, best.delay_median_bars, best.wrong_switches, best.true_switches))
        for position in dial:
            labels = names[state_labels(model, probabilities, position)]
            score = path_score(labels[half:], made.truth[half:])
            rows[position].append(
                (
                    score.accuracy / best.accuracy,
                    score.delay_median_bars,
                    score.wrong_switches,
                    score.switches,
                )
            )
        if made.states > 1:
            named = np.zeros((len(returns), made.states))
            for at, name_of in enumerate(names):
                named[:, name_of] += probabilities[:, at]
            beliefs.append(named[half:])
            truths.append(made.truth[half:])
    progress(name, len(seeds), len(seeds))
    means = np.nanmean(np.array(oracle), axis=0) if states > 1 else np.array([1.0, np.nan, 0.0, 0.0])
    return ScenarioReport(
        name=name,
        seeds=tuple(seeds),
        states_true=states,
        states_given=states_given,
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


def deflated_returns(made: Scenario, config: RegimeConfig) -> Floats:
    """Log returns over the causal day profile."""
    bars = made.bars
    returns = np.log(bars.close / np.append(bars.open[0], bars.close[:-1]))
    session = session_columns(bars)
    out = np.empty(len(bars))
    DayProfile(config.filter.day_profile_sessions).divide(returns, session.day, session.minute, 0, out)
    return out


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
