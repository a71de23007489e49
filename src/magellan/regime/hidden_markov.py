"""Hidden Markov filter: Student-t returns whose mean and scale depend on a state that nobody sees.

Degrees of freedom are odd, 2m - 1, so that a density is a whole power: no exponential and no logarithm per state.
A slow level multiplies the scales of all states. It is driven by the score of the density (Creal, Koopman and Lucas,
2013): each bar moves it a little towards the scale that the bar suggests, weighted by what the filter believes.

Where the model says so, the wicks of a bar speak beside its return: their logarithm is Student's t around a centre of
each state, moved by how far the return lies from the state's mean (as what Hansen, Huang and Shek, 2012, measure is
moved by the return's shock). Wicks know a bar's volatility several times better than its return does. Where they move
the level, that centre is taken as standing still: what moves it is small beside the rest.

All of it but `backward` reads a row and those before it. `filter_row` goes on with the probabilities and the level that
the row before left.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from magellan.compiled import kernel, kernel_part
from magellan.trading.bar import Floats

MOMENTS: Final = 11  # of `backward`
ALTERNATIVES = 4  # of the change-point alarm: wider, narrower, upward, downward


WICK_M: Final = 4

WICKS = np.dtype(  # what the density of wicks needs besides the centre of each state
    [
        ("on", np.bool_),  # False: wicks are not looked at
        ("slope", np.float64),  # of the logarithm over 1 - 1 / (1 + z^2), z the return's
        ("inverse", np.float64),  # one over the width and the root of the degrees of freedom
        ("height", np.float64),  # of the density at its centre
        ("says", np.float64),  # what a row says of the level: Fisher's information
    ],
    align=True,
)

ALARM = np.dtype(  # what `change_row` is told
    [
        ("on", np.bool_),
        ("hazard", np.float64),  # probability of a change, per bar
        ("keep", np.float64),  # of the odds, per bar: how soon an alarm fades
    ],
    align=True,
)


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


def emissions(scale: Floats, m: int) -> tuple[Floats, Floats]:
    """What a density needs of each state, shapes (K,): one over its scale and the root of the degrees of freedom; the
    height of Student's t density with 2m - 1 degrees of freedom at its centre, over the scale.
    """
    return 1.0 / (scale * math.sqrt(2.0 * m - 1.0)), height_at_one(m) / scale


def height_at_one(m: int) -> float:
    """Of Student's t density with 2m - 1 degrees of freedom at its centre."""
    freedom = 2.0 * m - 1.0
    height = math.exp(math.lgamma(0.5 * (freedom + 1.0)) - math.lgamma(0.5 * freedom))
    return height / math.sqrt(freedom * math.pi)


@kernel_part
def counted_in(density: float, product: float, log_likelihood: float) -> tuple[float, float]:
    """The product of densities whose logarithm has not been taken yet, and the log-likelihood of the others, with one
    more density: a logarithm costs as much as the rest of a row.
    """
    if 1e-100 < density < 1e100:
        product *= density
    else:
        log_likelihood += math.log(density)
    if not 1e-150 < product < 1e150:
        log_likelihood += math.log(product)
        product = 1.0
    return product, log_likelihood


@kernel_part
def says_of_scale(freedom: float) -> float:
    """What a value of Student's t says of the logarithm of its scale: Fisher's information."""
    return 2.0 * freedom / (freedom + 3.0)


@kernel_part
def filter_row(
    states: int,  # K
    returns: Any,  # (n,)
    wicks: Any,  # (n,), logarithms; NaN where a bar has none
    row: int,
    mean: Any,  # (K,), of returns with the level taken out
    inverse: Any,  # (K,), of `emissions`
    height: Any,  # (K,), likewise
    m: int,
    centre: Any,  # (K,), of wicks with the level taken out
    by_wick: Any,  # WICKS
    stay: Any,  # (K, K), row: from
    gain: float,  # of the level, per bar; 0: none
    pull: float,  # of the level towards 0: 1 none
    belief: Any,  # (K,), in and out: probabilities after the row before
    level: Any,  # (1,), in and out: logarithm
    filtered: Any,  # (n, >= K), out: probabilities given this row and those before
    density: Any,  # (n, >= K), out: of the row in each state
    evidence: Any,  # (n,), out: density of the return given the rows before
    levels: Any,  # (n,), out: the level that the row was judged with
) -> float:
    """Filter a row; returns its density given those before."""
    freedom = 2.0 * m - 1.0
    shrink = math.exp(-level[0]) if level[0] != 0.0 else 1.0
    total = 0.0
    of_returns = 0.0
    score = 0.0
    deflated = returns[row] * shrink
    wick = wicks[row] - level[0]
    seen = by_wick.on and not math.isnan(wick)
    for k in range(states):
        predicted = 0.0
        for j in range(states):
            predicted += belief[j] * stay[j, k]
        z = (deflated - mean[k]) * inverse[k]
        near = 1.0 / (1.0 + z * z)
        of_state = whole_power(near, m) * height[k] * shrink
        of_returns += predicted * of_state
        of_wick = 0.0
        if seen:
            y = (wick - centre[k] - by_wick.slope * (1.0 - near)) * by_wick.inverse
            near_wick = 1.0 / (1.0 + y * y)
            of_state *= whole_power(near_wick, WICK_M) * by_wick.height
            of_wick = 2.0 * WICK_M * y * by_wick.inverse * near_wick
        density[row, k] = of_state
        joint = predicted * of_state
        filtered[row, k] = joint
        total += joint
        if gain > 0.0:
            score += joint * ((freedom + 1.0) * (1.0 - near) - 1.0 + of_wick)
    share = 1.0 / total
    for k in range(states):
        belief[k] = filtered[row, k] * share
        filtered[row, k] = belief[k]
    evidence[row] = of_returns
    levels[row] = level[0]
    if gain > 0.0:
        # Over the score's variance: a gain of 1/n is a mean of n.
        says = says_of_scale(freedom) + by_wick.says
        level[0] = pull * level[0] + gain * score * share / says
    return total


@kernel
def forward(
    returns: Any,
    wicks: Any,
    mean: Any,
    inverse: Any,
    height: Any,
    m: int,
    centre: Any,
    by_wick: Any,  # WICKS, shape (1,)
    stay: Any,
    gain: float,
    pull: float,
    belief: Any,
    level: Any,
    filtered: Any,
    density: Any,
    joint: Any,  # (n,), out: density of the row given those before
    evidence: Any,
    levels: Any,
) -> float:
    """Filter all rows, as `filter_row` is told; returns their log-likelihood."""
    states = len(mean)
    # What a compiler can count it need not count: 4 states take 0.73 of the time.
    if states == 3:
        return _forward(
            3, returns, wicks, mean, inverse, height, m, centre, by_wick[0], stay, gain, pull, belief, level,
            filtered, density, joint, evidence, levels,
        )  # fmt: skip
    if states == 4:
        return _forward(
            4, returns, wicks, mean, inverse, height, m, centre, by_wick[0], stay, gain, pull, belief, level,
            filtered, density, joint, evidence, levels,
        )  # fmt: skip
    return _forward(
        states, returns, wicks, mean, inverse, height, m, centre, by_wick[0], stay, gain, pull, belief, level,
        filtered, density, joint, evidence, levels,
    )  # fmt: skip


@kernel_part
def _forward(
    states: int, returns: Any, wicks: Any, mean: Any, inverse: Any, height: Any, m: int, centre: Any, by_wick: Any,
    stay: Any, gain: float, pull: float, belief: Any, level: Any, filtered: Any, density: Any, joint: Any,
    evidence: Any, levels: Any,
) -> float:  # fmt: skip
    log_likelihood = 0.0
    product = 1.0
    for row in range(len(returns)):
        of_row = filter_row(
            states, returns, wicks, row, mean, inverse, height, m, centre, by_wick, stay, gain, pull, belief, level,
            filtered, density, evidence, levels,
        )  # fmt: skip
        joint[row] = of_row
        product, log_likelihood = counted_in(of_row, product, log_likelihood)
    return log_likelihood + math.log(product)


@kernel
def backward(
    returns: Any,  # (n,), the level taken out
    wicks: Any,  # (n,), likewise
    mean: Any,
    inverse: Any,  # of `emissions`
    m: int,
    centre: Any,
    by_wick: Any,  # WICKS, shape (1,)
    stay: Any,
    filtered: Any,  # (n, K), of `forward` over all rows
    density: Any,
    joint: Any,
    moments: Any,  # (K, MOMENTS), out: sums over rows of weight in state: 1, w, w x, w x^2; then of those with wicks y
    # 1, v, v y, v g, v y^2, v y g, v g^2, with g = 1 - 1 / (1 + z^2)
    moves: Any,  # (K, K), out: expected moves between states
    scores: Any,  # (n,), out: how far the row lies from its level, as `forward` moves the level by
    ahead: Any,  # (K,), to work in
    weighed: Any,  # (K,), likewise
) -> None:
    """What the rows say about the parameters, every row seen from all of them. Of past rows only, it is causal."""
    states = len(mean)
    if states == 3:  # as in `forward`
        _backward(
            3, returns, wicks, mean, inverse, m, centre, by_wick[0], stay, filtered, density, joint, moments, moves,
            scores, ahead, weighed,
        )  # fmt: skip
    elif states == 4:
        _backward(
            4, returns, wicks, mean, inverse, m, centre, by_wick[0], stay, filtered, density, joint, moments, moves,
            scores, ahead, weighed,
        )  # fmt: skip
    else:
        _backward(
            states, returns, wicks, mean, inverse, m, centre, by_wick[0], stay, filtered, density, joint, moments,
            moves, scores, ahead, weighed,
        )  # fmt: skip


@kernel_part
def _backward(
    states: int, returns: Any, wicks: Any, mean: Any, inverse: Any, m: int, centre: Any, by_wick: Any, stay: Any,
    filtered: Any, density: Any, joint: Any, moments: Any, moves: Any, scores: Any, ahead: Any, weighed: Any,
) -> None:  # fmt: skip
    freedom = 2.0 * m - 1.0
    heavier = (freedom + 1.0) / freedom
    heavier_wick = 2.0 * WICK_M / (2.0 * WICK_M - 1.0)
    says = says_of_scale(freedom) + by_wick.says
    for k in range(states):
        ahead[k] = 1.0
        for at in range(MOMENTS):
            moments[k, at] = 0.0
        for j in range(states):
            moves[k, j] = 0.0
    for row in range(len(returns) - 1, -1, -1):
        value = returns[row]
        wick = wicks[row]
        seen = by_wick.on and not math.isnan(wick)
        score = 0.0
        for k in range(states):
            share = filtered[row, k] * ahead[k]
            z = (value - mean[k]) * inverse[k]
            near = 1.0 / (1.0 + z * z)
            weight = share * heavier * near
            moments[k, 0] += share
            moments[k, 1] += weight
            moments[k, 2] += weight * value
            moments[k, 3] += weight * value * value
            score += share * ((freedom + 1.0) * (1.0 - near) - 1.0)
            if seen:
                far = 1.0 - near
                y = (wick - centre[k] - by_wick.slope * far) * by_wick.inverse
                near_wick = 1.0 / (1.0 + y * y)
                weight = share * heavier_wick * near_wick
                moments[k, 4] += share
                moments[k, 5] += weight
                moments[k, 6] += weight * wick
                moments[k, 7] += weight * far
                moments[k, 8] += weight * wick * wick
                moments[k, 9] += weight * wick * far
                moments[k, 10] += weight * far * far
                score += share * 2.0 * WICK_M * y * by_wick.inverse * near_wick
        scores[row] = score / says
        if row > 0:
            share = 1.0 / joint[row]
            for k in range(states):
                weighed[k] = density[row, k] * ahead[k] * share
            for j in range(states):
                total = 0.0
                before = filtered[row - 1, j]
                for k in range(states):
                    move = stay[j, k] * weighed[k]
                    total += move
                    moves[j, k] += before * move
                ahead[j] = total


@kernel_part
def change_row(
    returns: Any,
    row: int,
    mean: Any,
    scale: Any,
    inverse: Any,  # of `emissions`
    height: Any,
    m: int,
    stay: Any,
    belief: Any,  # (K,), in and out: probabilities after the row before
    filtered: Any,  # (n, >= K), of `filter_row`
    levels: Any,  # (n,), of `filter_row`
    evidence: Any,  # (n,), of `filter_row`
    terms: Any,  # ALARM
    odds: Any,  # (ALTERNATIVES,), in and out
    alarm: Any,  # (n,), out: probability that the model stopped fitting in the last bars
) -> None:
    """Shiryaev's statistic for a change from the model to one that is wider, narrower, or drifts up or down."""
    states = len(mean)
    shrink = math.exp(-levels[row])
    deflated = returns[row] * shrink
    total = 0.0
    for other in range(len(odds)):
        narrower = 0.5 if other == 0 else (2.0 if other == 1 else 1.0)
        drift = 0.75 if other == 2 else (-0.75 if other == 3 else 0.0)
        changed = 0.0
        for k in range(states):
            predicted = 0.0
            for j in range(states):
                predicted += belief[j] * stay[j, k]
            z = (deflated - mean[k] - drift * scale[k]) * inverse[k] * narrower
            changed += predicted * whole_power(1.0 / (1.0 + z * z), m) * height[k] * narrower
        odds[other] = min((odds[other] * terms.keep + terms.hazard) * changed * shrink / evidence[row], 1e12)
        total += odds[other] / len(odds)
    alarm[row] = total / (1.0 + total)
    for k in range(states):
        belief[k] = filtered[row, k]
