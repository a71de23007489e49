"""Scenarios: generated bars whose true states are known, and the oracle that knows the true parameters.

vol2      two volatilities, Gaussian: the textbook case
eq3       daily: calm rise, middle, wild fall; Student's t with 5 degrees of freedom
eq3drift  the same with gamma-distributed stays, and a volatility that rises by 80 % from the first bar to the last
intra4    5-minute bars with a U-shaped day: quiet, turbulent, trend up, trend down
null      volatility that clusters (GARCH, Student's t) and no regimes at all: every switch is a false one

The oracle sees returns alone: no causal label of returns can be right more often than its own, on average. So shares
of the oracle can be compared where accuracies cannot. Who looks at wicks, too, can be above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.errors import FixInput
from magellan.regime.hidden_markov import emissions, forward
from magellan.regime.wick_density import wick_terms
from magellan.trading.bar import Bars, Floats
from magellan.trading.session import exchange_offset_ns
from magellan.trading.timeframe import DAY_NS, MINUTE_NS, Timeframe

_START_DAY: Final = 10_957  # 2000-01-01, a Saturday: generated sessions take no heed of weekends
_OPENS_MINUTE: Final = 9 * 60 + 30  # on the exchange's clock
_DAY_BARS: Final = 78  # of five minutes
_GAUSSIAN_M: Final = 512  # Student's t with so many degrees of freedom is Gaussian to four digits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenario:
    """Generated bars with what is true about them."""

    name: str
    seed: int
    bars: Bars
    truth: NDArray[np.int64]  # (n,): the state of each bar
    states: int
    oracle: NDArray[np.int64]  # (n,): the likeliest state to one who knows the parameters and past returns
    oracle_probabilities: Floats  # (n, states)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """A hidden Markov chain of returns."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]  # standard deviations
    stay_bars: tuple[float, ...]
    next: tuple[tuple[float, ...], ...]  # where a state is left for
    freedom: int | None = None  # of Student's t; None: Gaussian
    stay_shape: float | None = None  # of gamma-distributed stays; None: geometric
    drift: float = 1.0  # of the volatility, from the first bar to the last
    bars: int = 6000
    intraday: bool = False


_THREE: Final = _Terms(
    mean=(9e-4, 0.0, -2e-3),
    scale=(0.006, 0.011, 0.024),
    stay_bars=(120.0, 60.0, 35.0),
    next=((0.0, 0.75, 0.25), (0.6, 0.0, 0.4), (0.35, 0.65, 0.0)),
    freedom=5,
)
_TERMS: Final[dict[str, _Terms]] = {
    "vol2": _Terms(
        mean=(5e-4, -5e-4), scale=(0.006, 0.020), stay_bars=(150.0, 40.0), next=((0.0, 1.0), (1.0, 0.0))
    ),
    "eq3": _THREE,
    "eq3drift": _Terms(
        mean=_THREE.mean,
        scale=_THREE.scale,
        stay_bars=_THREE.stay_bars,
        next=_THREE.next,
        freedom=5,
        stay_shape=5.0,
        drift=1.8,
    ),
    "intra4": _Terms(
        mean=(0.0, 0.0, 0.45 * 9e-4, -0.45 * 9e-4),
        scale=(7e-4, 22e-4, 9e-4, 9e-4),
        stay_bars=(60.0, 40.0, 50.0, 50.0),
        next=((0.0, 0.3, 0.35, 0.35), (0.5, 0.0, 0.25, 0.25), (0.5, 0.3, 0.0, 0.2), (0.5, 0.3, 0.2, 0.0)),
        bars=250 * _DAY_BARS,
        intraday=True,
    ),
}
SCENARIOS: Final = (*_TERMS, "null")


def scenario(name: str, seed: int, *, bars: int | None = None) -> Scenario:
    """The scenario of that name; the same seed gives the same bars.

    bars:   how many, instead of the scenario's own 6,000 (intra4: 250 days of 78).
    Raises: FixInput for a name that is none.
    """
    if name not in SCENARIOS:
        raise FixInput(
            f"there is no scenario called '{name}'", next_step=f"choose one of {', '.join(SCENARIOS)}"
        )
    rng = np.random.default_rng([seed, *name.encode()])
    if name == "null":
        return _null(rng, seed, bars or 6000)
    terms = _TERMS[name]
    n = bars or terms.bars
    truth = _path(rng, terms, n)
    mean, scale = np.array(terms.mean), np.array(terms.scale)
    level = np.linspace(1.0, terms.drift, n)
    shape = _day_shape(n) if terms.intraday else np.ones(n)
    noise = rng.standard_normal(n)
    if terms.freedom is not None:
        noise = rng.standard_t(terms.freedom, n) * np.sqrt((terms.freedom - 2) / terms.freedom)
    size = scale[truth] * level * shape
    returns = mean[truth] * shape + size * noise
    beliefs = _oracle(returns / shape / level, level, terms)
    return Scenario(
        name=name,
        seed=seed,
        bars=_bars(rng, name, returns, size, intraday=terms.intraday),
        truth=truth,
        states=len(mean),
        oracle=beliefs.argmax(axis=1),
        oracle_probabilities=beliefs,
    )


def _path(rng: np.random.Generator, terms: _Terms, n: int) -> NDArray[np.int64]:
    path = np.empty(n, dtype=np.int64)
    state, at = int(rng.integers(len(terms.mean))), 0
    while at < n:
        stay = terms.stay_bars[state]
        if terms.stay_shape is None:
            length = int(rng.geometric(1.0 / stay))
        else:
            length = max(2, int(rng.gamma(terms.stay_shape, stay / terms.stay_shape)))
        path[at : at + length] = state
        at += length
        state = int(rng.choice(len(terms.mean), p=terms.next[state]))
    return path


def _day_shape(n: int) -> Floats:
    bar = np.arange(n) % _DAY_BARS
    shape: Floats = 0.7 + 1.3 * np.exp(-bar / 6.0) + 0.6 * np.exp(-(_DAY_BARS - 1 - bar) / 6.0)
    return shape


def true_parameters(name: str) -> tuple[Floats, Floats, int, Floats]:
    """Mean and scale of each state, shapes (K,); m, where Student's t has 2m - 1 degrees of freedom; the moves, (K, K).

    Of a scenario with states; its returns are taken over the shape of the day and the drift of the volatility.
    """
    return _parameters(_TERMS[name])


def _parameters(terms: _Terms) -> tuple[Floats, Floats, int, Floats]:
    leave = 1.0 / np.array(terms.stay_bars)
    stay = np.array(terms.next) * leave[:, None]
    np.fill_diagonal(stay, 1.0 - leave)
    m = _GAUSSIAN_M if terms.freedom is None else (terms.freedom + 1) // 2
    unit = 1.0 if terms.freedom is None else np.sqrt((terms.freedom - 2) / terms.freedom)
    return np.array(terms.mean), np.array(terms.scale) * unit, m, stay


def _oracle(returns: Floats, level: Floats, terms: _Terms) -> Floats:
    """Filter with the true parameters. Where the level drifts, a mean that does not is a different one over it."""
    mean, scale, m, stay = _parameters(terms)
    states = len(mean)
    n = len(returns)
    beliefs = np.empty((n, states))
    belief = np.full(states, 1.0 / states)
    scratch, joint, evidence, levels = np.empty((n, states)), np.empty(n), np.empty(n), np.empty(n)
    wicks, without_wicks = np.full(n, np.nan), wick_terms(None, scale)
    inverse, height = emissions(scale, m)
    if terms.drift == 1.0:
        forward(
            returns, wicks, mean, inverse, height, m, *without_wicks, stay, 0.0, 1.0, belief, np.zeros(1), beliefs,
            scratch, joint, evidence, levels,
        )  # fmt: skip
        return beliefs
    for row in range(n):
        one = slice(row, row + 1)
        forward(
            returns[one], wicks[one], mean / level[row], inverse, height, m, *without_wicks, stay, 0.0, 1.0, belief,
            np.zeros(1), beliefs[one], scratch[one], joint[one], evidence[one], levels[one],
        )  # fmt: skip
    return beliefs


def _null(rng: np.random.Generator, seed: int, n: int) -> Scenario:
    """GARCH(1, 1) with Student's t of 6 degrees of freedom."""
    noise = rng.standard_t(6, n) * np.sqrt(4.0 / 6.0)
    returns, size = np.empty(n), np.empty(n)
    variance = 1e-4
    for row in range(n):
        size[row] = np.sqrt(variance)
        returns[row] = 3e-4 + size[row] * noise[row]
        variance = 2e-6 + 0.08 * (returns[row] - 3e-4) ** 2 + 0.90 * variance
    return Scenario(
        name="null",
        seed=seed,
        bars=_bars(rng, "null", returns, size, intraday=False),
        truth=np.zeros(n, dtype=np.int64),
        states=1,
        oracle=np.zeros(n, dtype=np.int64),
        oracle_probabilities=np.ones((n, 1)),
    )


def _bars(rng: np.random.Generator, name: str, returns: Floats, size: Floats, *, intraday: bool) -> Bars:
    n = len(returns)
    close = 100.0 * np.exp(np.cumsum(returns))
    open_ = np.append(100.0, close[:-1])
    wicks = np.abs(rng.standard_normal((2, n))) * size * 0.6
    row = np.arange(n, dtype=np.int64)
    opened_at_ns = (_START_DAY + row) * DAY_NS
    if intraday:
        minute = _OPENS_MINUTE + 5 * (row % _DAY_BARS)
        wall_ns = (_START_DAY + row // _DAY_BARS) * DAY_NS + minute * MINUTE_NS
        opened_at_ns = wall_ns - exchange_offset_ns(wall_ns)
    return Bars(
        symbol=name.upper(),
        timeframe=Timeframe.parse("5Min" if intraday else "1Day"),
        opened_at_ns=opened_at_ns,
        open=open_,
        high=np.maximum(open_, close) * np.exp(wicks[0]),
        low=np.minimum(open_, close) * np.exp(-wicks[1]),
        close=close,
        volume=np.round(np.exp(rng.normal(12.0, 0.3, n)) * (1.0 + 1.5 * size / size.mean())),
    )
