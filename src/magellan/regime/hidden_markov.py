"""Hidden Markov filter: Student-t returns whose mean and scale depend on a state that nobody sees.

Degrees of freedom are odd, 2m - 1, so that a density is a whole power: no exponential and no logarithm per state.
A slow level multiplies the scales of all states. It is driven by the score of the density (Creal, Koopman and Lucas,
2013): each bar moves it a little towards the scale that the bar suggests, weighted by what the filter believes.

All of it reads a row and those before it. `forward` goes on from any row with the probabilities and the level it left.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from magellan.compiled import kernel, kernel_part

ALTERNATIVES = 4  # of the change-point alarm: wider, narrower, upward, downward


@kernel_part
def whole_power(base: float, exponent: int) -> float:
    """`base` multiplied by itself; `exponent` >= 1."""
    out = 1.0
    while exponent > 0:
        if exponent & 1:
            out *= base
        base *= base
        exponent >>= 1
    return out


@kernel_part
def density_constant(m: int) -> float:
    """Height of Student's t density with 2m - 1 degrees of freedom at its centre."""
    freedom = 2.0 * m - 1.0
    return math.exp(math.lgamma(0.5 * (freedom + 1.0)) - math.lgamma(0.5 * freedom)) / math.sqrt(
        freedom * math.pi
    )


@kernel
def forward(
    returns: Any,  # (n,)
    start: int,
    end: int,
    mean: Any,  # (K,), of returns with the level taken out
    scale: Any,  # (K,), > 0
    m: int,
    stay: Any,  # (K, K), row: from
    gain: float,  # of the level, per bar; 0: none
    pull: float,  # of the level towards 0: 1 none
    belief: Any,  # (K,), in and out: probabilities after the row before
    level: Any,  # (1,), in and out: logarithm
    filtered: Any,  # (n, >= K), out: probabilities given this row and those before
    density: Any,  # (n, >= K), out: of the row in each state
    evidence: Any,  # (n,), out: density of the row given those before
    levels: Any,  # (n,), out: the level that the row was judged with
) -> float:
    """Filter rows start to end; returns their log-likelihood."""
    states = len(mean)
    freedom = 2.0 * m - 1.0
    height = density_constant(m)
    step = gain * (freedom + 3.0) / (2.0 * freedom)  # over the score's variance: a gain of 1/n is a mean of n
    shrink = math.exp(-level[0])
    log_likelihood = 0.0
    for row in range(start, end):
        total = 0.0
        score = 0.0
        deflated = returns[row] * shrink
        for k in range(states):
            predicted = 0.0
            for j in range(states):
                predicted += belief[j] * stay[j, k]
            z = (deflated - mean[k]) / scale[k]
            ratio = z * z / freedom
            of_state = whole_power(1.0 / (1.0 + ratio), m) * height / scale[k] * shrink
            density[row, k] = of_state
            joint = predicted * of_state
            filtered[row, k] = joint
            total += joint
            score += joint * ((freedom + 1.0) * ratio / (1.0 + ratio) - 1.0)
        for k in range(states):
            belief[k] = filtered[row, k] / total
            filtered[row, k] = belief[k]
        evidence[row] = total
        levels[row] = level[0]
        log_likelihood += math.log(total)
        if gain > 0.0:
            level[0] = pull * level[0] + step * score / total
            shrink = math.exp(-level[0])
    return log_likelihood


@kernel
def backward(
    returns: Any,  # (n,), the level taken out
    mean: Any,
    scale: Any,
    m: int,
    stay: Any,
    filtered: Any,  # (n, K), of `forward` over all rows
    density: Any,
    evidence: Any,
    moments: Any,  # (K, 4), out: sums over rows of weight in state: 1, w, w x, w x^2
    moves: Any,  # (K, K), out: expected moves between states
    scores: Any,  # (n,), out: the expected score of the scale, as `forward` drives the level with
    ahead: Any,  # (K,), room to work in
    weighed: Any,  # (K,), likewise
) -> None:
    """What the rows say about the parameters, every row seen from all of them. Of past rows only, it is causal."""
    states = len(mean)
    freedom = 2.0 * m - 1.0
    ahead[:] = 1.0
    moments[:, :] = 0.0
    moves[:, :] = 0.0
    for row in range(len(returns) - 1, -1, -1):
        score = 0.0
        for k in range(states):
            share = filtered[row, k] * ahead[k]
            z = (returns[row] - mean[k]) / scale[k]
            ratio = z * z / freedom
            weight = share * (freedom + 1.0) / freedom / (1.0 + ratio)
            moments[k, 0] += share
            moments[k, 1] += weight
            moments[k, 2] += weight * returns[row]
            moments[k, 3] += weight * returns[row] * returns[row]
            score += share * ((freedom + 1.0) * ratio / (1.0 + ratio) - 1.0)
        scores[row] = score
        if row > 0:
            for k in range(states):
                weighed[k] = density[row, k] * ahead[k] / evidence[row]
            for j in range(states):
                total = 0.0
                for k in range(states):
                    move = stay[j, k] * weighed[k]
                    total += move
                    moves[j, k] += filtered[row - 1, j] * move
                ahead[j] = total


@kernel
def one_state(
    returns: Any, mean: float, scale: float, m: int, gain: float, pull: float, levels: Any
) -> tuple[float, float]:
    """Log-likelihood of a single state whose level moves fast: volatility that clusters, without regimes.

    levels:  (n,), out.
    Returns: the log-likelihood, and the mean score of the scale, which is 0 where `scale` fits.
    """
    freedom = 2.0 * m - 1.0
    height = density_constant(m) / scale
    step = gain * (freedom + 3.0) / (2.0 * freedom)
    level = 0.0
    log_likelihood = 0.0
    scores = 0.0
    for row in range(len(returns)):
        levels[row] = level
        shrink = math.exp(-level)
        z = (returns[row] * shrink - mean) / scale
        ratio = z * z / freedom
        log_likelihood += math.log(whole_power(1.0 / (1.0 + ratio), m) * height * shrink)
        score = (freedom + 1.0) * ratio / (1.0 + ratio) - 1.0
        scores += score
        level = pull * level + step * score
    return log_likelihood, scores / len(returns)


@kernel
def change_odds(
    returns: Any,
    start: int,
    end: int,
    mean: Any,
    scale: Any,
    m: int,
    stay: Any,
    belief: Any,  # (K,), in and out: probabilities after the row before
    filtered: Any,  # (n, >= K), of `forward`
    levels: Any,  # (n,), of `forward`
    evidence: Any,  # (n,), of `forward`
    hazard: float,  # probability of a change, per bar
    keep: float,  # of the odds, per bar: how soon an alarm fades
    odds: Any,  # (ALTERNATIVES,), in and out
    alarm: Any,  # (n,), out: probability that the model stopped fitting in the last bars
) -> None:
    """Shiryaev's statistic for a change from the model to one that is wider, narrower, or drifts up or down."""
    states = len(mean)
    freedom = 2.0 * m - 1.0
    height = density_constant(m)
    for row in range(start, end):
        shrink = math.exp(-levels[row])
        deflated = returns[row] * shrink
        total = 0.0
        for other in range(len(odds)):
            wider = 2.0 if other == 0 else (0.5 if other == 1 else 1.0)
            drift = 0.75 if other == 2 else (-0.75 if other == 3 else 0.0)
            changed = 0.0
            for k in range(states):
                predicted = 0.0
                for j in range(states):
                    predicted += belief[j] * stay[j, k]
                width = scale[k] * wider
                z = (deflated - mean[k] - drift * scale[k]) / width
                changed += predicted * whole_power(1.0 / (1.0 + z * z / freedom), m) * height / width * shrink
            odds[other] = min((odds[other] * keep + hazard) * changed / evidence[row], 1e12)
            total += odds[other] / len(odds)
        alarm[row] = total / (1.0 + total)
        for k in range(states):
            belief[k] = filtered[row, k]
