"""Step: what a closed bar does to everything that is known about a market, in one compiled function.

In turn: the bar's return over the day profile and its usual size; the components of the rule score and their mean; the
filter and its alarm; both pooled on each axis; the labels. A history in one call and one bar at a time are this same
function, so they cannot differ. What it reads and writes are columns and small memories, by
their places (`places.py`).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from magellan.compiled import kernel, kernel_part
from magellan.regime.components.levels import central_range_row, pivots_row, support_resistance_row
from magellan.regime.components.structure import adx_row, correlation_row
from magellan.regime.components.trend import ema_alignment_row, slope_row, timeframe_vote_row
from magellan.regime.components.volatility import atr_percentile_row, squeeze_row
from magellan.regime.components.volume import volume_profile_row, vwap_bands_row
from magellan.regime.decision import DECISION, UNKNOWN_LABEL, decide_row, restart_row
from magellan.regime.fit_terms import FIT
from magellan.regime.hidden_markov import ALARM, change_row, filter_row
from magellan.regime.observed import observe_row
from magellan.regime.places import flags, line, matrix, minutes, whole_line
from magellan.regime.pooling import pool_row
from magellan.regime.rule_score import PART, RULES, SLOT, weigh_row

TERMS: Final = np.dtype(  # everything of numbers that the step is told
    [
        ("rules", RULES),
        ("fit", FIT),
        ("alarm", ALARM),
        ("volatility", DECISION),
        ("trend", DECISION),
        ("structure", DECISION),
        ("state", DECISION),
        ("profile_flat", np.float64),
    ],
    align=True,
)

_USUAL_BARS: Final = 100.0  # over which a usual return is known
_STATE: Final = 3  # the place of the filter's state behind the axes', in the labels

_ATR, _SQUEEZE, _SLOPE, _EMA = SLOT["atr_percentile"], SLOT["squeeze"], SLOT["slope"], SLOT["ema_alignment"]
_VOTE, _VWAP, _ADX, _RANGE = (
    SLOT["timeframe_vote"],
    SLOT["vwap_bands"],
    SLOT["adx"],
    SLOT["central_pivot_range"],
)
_PIVOTS, _TURNS, _PROFILE = SLOT["pivots"], SLOT["support_resistance"], SLOT["volume_profile"]
_CORRELATION: Final = SLOT["correlation"]
_SQUEEZE_BREAK, _PIVOTS_BREAK, _TURNS_BREAK = PART["squeeze"], PART["pivots"], PART["support_resistance"]


@kernel
def advance(
    start: int,
    end: int,
    offset: int,  # bars that came before the first kept one
    restart: bool,  # the states are other ones than those of the row before
    places: Any,  # of everything that `regime_model` keeps, by name; shape (1,)
    terms: Any,  # TERMS, shape (1,)
) -> None:
    """Take in rows start to end, which one fit judges. What options say of them is in the scores already."""
    at, told = places[0], terms[0]
    fit = told.fit
    for row in range(start, end):
        _measure(row, at, told.profile_flat)
        _score(row, offset, at, told.rules)
        if fit.on:
            _filter(row, at, fit, told.alarm)
        _pool(row, at, fit)
        _decide(row, restart and row == start, at, told)


@kernel_part
def _measure(row: int, at: Any, profile_flat: float) -> None:
    """The bar's return, over the day profile and over its usual size, and its wicks."""
    closes = line(at.close)
    before = closes[row - 1] if row > 0 else line(at.open)[0]
    line(at.log_close)[row] = math.log(closes[row])
    observe_row(
        row, before, line(at.high), line(at.low), closes, flags(at.begins)[row], minutes(at.minute)[row], profile_flat,
        matrix(at.profile_sums), matrix(at.profile_running), line(at.profile_whole), line(at.returns),
        line(at.deflated), line(at.wicks),
    )  # fmt: skip
    deflated = line(at.deflated)[row]
    spread = line(at.spread)  # mean square of the returns, and how many it knows
    line(at.size)[row] = deflated / math.sqrt(spread[0]) if spread[0] > 0.0 else 0.0
    share = max(1.0 / _USUAL_BARS, 1.0 / (spread[1] + 1.0))
    spread[0] += share * (deflated * deflated - spread[0])
    spread[1] += 1.0


@kernel_part
def _score(row: int, offset: int, at: Any, rules: Any) -> None:
    """What every component of bars that is on makes of the row, and what all say together."""
    open_, high, low, close, volume = (
        line(at.open),
        line(at.high),
        line(at.low),
        line(at.close),
        line(at.volume),
    )
    log_close, begins = line(at.log_close), flags(at.begins)[row]
    scores, breaks = matrix(at.scores), matrix(at.breaks)
    if rules.atr_percentile.on:
        work = matrix(at.atr_percentile)
        atr_percentile_row(high, low, close, row, offset, rules.atr_percentile, work, scores, _ATR)
    if rules.squeeze.on:
        work = matrix(at.squeeze)
        squeeze_row(close, row, offset, rules.squeeze, work, scores, _SQUEEZE, breaks, _SQUEEZE_BREAK)
    if rules.slope.on:
        slope_row(log_close, row, offset, rules.slope, matrix(at.slope), scores, _SLOPE)
    if rules.ema_alignment.on:
        ema_alignment_row(close, row, offset, line(at.spans), matrix(at.ema_alignment), scores, _EMA)
    if rules.timeframe_vote.on:
        timeframe_vote_row(
            log_close, row, offset, rules.timeframe_vote, whole_line(at.multiples), line(at.timeframe_weights),
            matrix(at.timeframe_vote), scores, _VOTE,
        )  # fmt: skip
    if rules.vwap_bands.on:
        work = matrix(at.vwap_bands)
        vwap_bands_row(high, low, close, volume, begins, row, rules.vwap_bands, work, scores, _VWAP)
    if rules.adx.on:
        adx_row(high, low, close, row, offset, rules.adx, matrix(at.adx), scores, _ADX)
    if rules.central_pivot_range.on:
        work = matrix(at.central_pivot_range)
        central_range_row(
            open_, high, low, close, begins, row, rules.central_pivot_range, work, scores, _RANGE
        )
    if rules.pivots.on:
        pivots_row(
            open_, high, low, close, begins, row, rules.pivots, line(at.family_weights), matrix(at.pivots), scores,
            _PIVOTS, breaks, _PIVOTS_BREAK,
        )  # fmt: skip
    if rules.support_resistance.on:
        support_resistance_row(
            high, low, close, row, offset, rules.support_resistance, matrix(at.support_resistance), scores, _TURNS,
            breaks, _TURNS_BREAK,
        )  # fmt: skip
    if rules.volume_profile.on:
        volume_profile_row(
            high, low, close, volume, row, offset, rules.volume_profile, line(at.bins), matrix(at.volume_profile),
            scores, _PROFILE,
        )  # fmt: skip
    if rules.correlation.on:
        correlation_row(
            line(at.returns), matrix(at.others), row, offset, rules.correlation, matrix(at.correlation), scores,
            _CORRELATION,
        )  # fmt: skip
    weigh_row(
        scores, breaks, whole_line(at.slot_axes), line(at.slot_weights), row, matrix(at.rule_volatility),
        matrix(at.rule_trend), matrix(at.rule_structure), matrix(at.coverage),
    )  # fmt: skip


@kernel_part
def _filter(row: int, at: Any, fit: Any, alarm: Any) -> None:
    """What the filter believes after the row, and whether it still fits."""
    returns, filtered, evidence, levels = (
        line(at.deflated),
        matrix(at.filtered),
        line(at.evidence),
        line(at.levels),
    )
    mean, inverse, height, stay = line(at.mean), line(at.inverse), line(at.height), matrix(at.stay)
    for k in range(len(mean), filtered.shape[1]):
        filtered[row, k] = 0.0  # states that the fit does not have
    filter_row(
        len(mean), returns, line(at.wicks), row, mean, inverse, height, fit.m, line(at.centre), fit.wicks, stay,
        fit.gain, fit.pull, line(at.belief), line(at.level), filtered, matrix(at.density), evidence, levels,
    )  # fmt: skip
    line(at.fit_of)[row] = fit.number
    ringing = line(at.alarm)
    ringing[row] = 0.0
    if alarm.on:
        change_row(
            returns, row, mean, line(at.scale), inverse, height, fit.m, stay, line(at.alarm_belief), filtered, levels,
            evidence, alarm, line(at.odds), ringing,
        )  # fmt: skip


@kernel_part
def _pool(row: int, at: Any, fit: Any) -> None:
    """Probabilities of each axis."""
    filtered, levels, shares = matrix(at.filtered), line(at.levels), matrix(at.filter_share)
    pool_row(
        matrix(at.rule_volatility), filtered, matrix(at.means_volatility), fit.volatility, fit, levels, row, 0,
        matrix(at.volatility), shares,
    )  # fmt: skip
    pool_row(
        matrix(at.rule_trend), filtered, matrix(at.means_trend), fit.trend, fit, levels, row, 1, matrix(at.trend),
        shares,
    )  # fmt: skip
    pool_row(
        matrix(at.rule_structure), filtered, matrix(at.means_structure), fit.structure, fit, levels, row, 2,
        matrix(at.structure), shares,
    )  # fmt: skip


@kernel_part
def _decide(row: int, restart: bool, at: Any, told: Any) -> None:
    """Labels of each axis, and the filter's state."""
    begins, size, labels = flags(at.begins)[row], line(at.size)[row], matrix(at.labels)
    alone = told.fit.by_level or not told.fit.on  # no states stand behind the probabilities
    decide_row(
        matrix(at.volatility), matrix(at.right_volatility), begins, size, alone, row, told.volatility,
        whole_line(at.sides_volatility), line(at.decided_volatility), labels, 0,
    )  # fmt: skip
    decide_row(
        matrix(at.trend), matrix(at.right_trend), begins, size, alone, row, told.trend, whole_line(at.sides_trend),
        line(at.decided_trend), labels, 1,
    )  # fmt: skip
    decide_row(
        matrix(at.structure), matrix(at.right_structure), begins, size, alone, row, told.structure,
        whole_line(at.sides_structure), line(at.decided_structure), labels, 2,
    )  # fmt: skip
    if told.fit.on:
        filtered, memory = matrix(at.filtered), line(at.decided_state)
        if restart:
            restart_row(filtered, row, len(line(at.mean)), memory)
        decide_row(
            filtered, matrix(at.right), begins, size, False, row, told.state, whole_line(at.sides_state), memory,
            labels, _STATE,
        )  # fmt: skip
    else:
        labels[row, _STATE] = UNKNOWN_LABEL
        labels[row, 2 * _STATE + 1] = 0.0
