"""How good labels can be: the best causal rule there is, by dynamic programming, beside the product's.

    python benchmarks/regime_frontier.py SCENARIO [--seeds 20] [--first-seed 6000] [--grid 40] [--prices 4,8,12,16]

Both rules are told the oracle's own probabilities, so that nothing is lost by a fit: what is left is the decision
alone. A rule earns 1 for every bar that its label is right, and pays a price for every switch into a state that is not
the true one. What is best to do depends on the probabilities and on the label, and on nothing else that is known. So
value iteration over a grid of probabilities finds the best rule for a price, and each price is a point of the frontier:
fewer wrong switches cannot be had for that share of the oracle's accuracy. That holds for vol2, eq3 and intra4, whose
stays are geometric.

SciPy is taken from the development environment.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import t as student_t

from magellan.regime.config import DecisionConfig
from magellan.regime.decision import Decider, expected_right
from magellan.regime.hidden_markov import emissions
from magellan.regime.quality.path_score import path_score
from magellan.regime.quality.scenario import Scenario, scenario, true_parameters

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
RETURNS_TRIED = 48  # of each state, at even steps of probability
DIAL = (0.4, 0.5, 0.6, 0.7, 0.8)


class Grid:
    """Probabilities of K states in steps of 1/N, and where others lie between them (Freudenthal's triangulation)."""

    def __init__(self, states: int, steps: int) -> None:
        self._steps = steps
        bars = np.array(list(combinations(range(steps + states - 1), states - 1)))
        edges = np.column_stack([np.full(len(bars), -1), bars, np.full(len(bars), steps + states - 1)])
        counts = np.diff(edges, axis=1) - 1
        self.points: Floats = counts / steps
        self._base = (steps + 1) ** np.arange(states - 1)
        self._place = np.zeros((steps + 1) ** (states - 1), dtype=np.int64)
        self._place[counts[:, :-1] @ self._base] = np.arange(len(counts))

    def corners(self, beliefs: Floats) -> tuple[Labels, Floats]:
        """The K points around each row, and its weight on each; shapes (n, K)."""
        rows, states = beliefs.shape
        above = np.clip(self._steps * np.cumsum(beliefs[:, ::-1], axis=1)[:, ::-1], 0.0, self._steps)
        above[:, 0] = self._steps
        corner = np.floor(above).astype(np.int64)
        part = above - corner
        order = np.argsort(-part[:, 1:], axis=1, kind="stable") + 1
        parts = np.take_along_axis(part, order, axis=1)
        weights = -np.diff(np.column_stack([np.ones(rows), parts, np.zeros(rows)]), axis=1)
        places = np.empty((rows, states), dtype=np.int64)
        for k in range(states):
            counts = np.maximum(corner - np.column_stack([corner[:, 1:], np.zeros(rows, dtype=np.int64)]), 0)
            places[:, k] = self._place[counts[:, :-1] @ self._base]
            if k < states - 1:
                corner[np.arange(rows), order[:, k]] += 1
        return places, weights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """The best rule at one price."""

    price: float  # in bars of being right, for a switch into a wrong state
    ahead: Floats  # (points, K): what is earned later, by the label


def next_beliefs(name: str, grid: Grid) -> Any:
    """Where a bar takes each point of the grid, (points, points): rows sum to 1."""
    mean, scale, m, stay = true_parameters(name)
    inverse, height = emissions(scale, m)
    noise = student_t.ppf((np.arange(RETURNS_TRIED) + 0.5) / RETURNS_TRIED, 2 * m - 1)
    predicted = grid.points @ stay
    points, states = predicted.shape
    start = np.repeat(np.arange(points), RETURNS_TRIED * states)
    moves = csr_matrix((points, points))
    for k in range(states):
        away = ((mean[k] + scale[k] * noise)[:, None] - mean) * inverse
        joint = predicted[:, None, :] * (height * (1.0 + away * away) ** -m)
        places, weights = grid.corners((joint / joint.sum(axis=-1, keepdims=True)).reshape(-1, states))
        likely = np.repeat(predicted[:, k] / RETURNS_TRIED, RETURNS_TRIED)[:, None]
        moves += csr_matrix(((likely * weights).ravel(), (start, places.ravel())), shape=(points, points))
    return moves


def best_rule(grid: Grid, moves: Any, price: float, *, rounds: int = 2000) -> Rule:
    """Relative value iteration, until the gain per bar is known to a millionth."""
    belief = grid.points
    value = np.zeros_like(belief)
    for _ in range(rounds):
        ahead = moves @ value
        switched = (belief - price * (1.0 - belief) + ahead).max(axis=1, keepdims=True)
        better = np.maximum(belief + ahead, switched)
        change = better - value
        value = better - better[0, 0]
        if np.ptp(change) < 1e-6:
            break
    return Rule(price=price, ahead=moves @ value)


def labels_of(rule: Rule, grid: Grid, beliefs: Floats) -> Labels:
    """What the rule says of these probabilities, shape (n, K)."""
    places, weights = grid.corners(beliefs)
    worth = beliefs + (rule.ahead[places] * weights[..., None]).sum(axis=1)
    after = worth - rule.price * (1.0 - beliefs)
    label, path = int(beliefs[0].argmax()), []
    for stay, switch in zip(worth, after, strict=True):
        best = int(switch.argmax())
        label = best if switch[best] > stay[label] else label
        path.append(label)
    return np.array(path)


def product_labels(name: str, beliefs: Floats, stability: float) -> Labels:
    """The product's decision layer, told the true moves."""
    nothing = np.zeros(len(beliefs))
    decider = Decider(DecisionConfig(stability=stability), likelier_than=0.5)
    right = expected_right(true_parameters(name)[3])
    return decider.labels(beliefs, right, nothing.astype(bool), nothing)[:, 0].astype(np.int64)


def show(what: str, made: list[Scenario], paths: list[Labels]) -> None:
    """The second halves, as the product's own report scores them."""
    rows = []
    for each, path in zip(made, paths, strict=True):
        half = len(path) // 2
        best = path_score(each.oracle[half:], each.truth[half:])
        score = path_score(path[half:], each.truth[half:])
        rows.append((score.accuracy / best.accuracy, score.wrong_switches, score.delay_median_bars))
    (share, wrong, delay), error = np.mean(rows, axis=0), np.std(rows, axis=0) / np.sqrt(len(rows))
    print(f"{what:24} {share:.1%} +- {error[0]:.1%}  wrong {wrong:.2f} +- {error[1]:.2f}  late {delay:.1f}")


def main() -> None:
    """Print the frontier, and where the product's dial lies beside it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", choices=("vol2", "eq3", "intra4"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=6000)
    parser.add_argument("--grid", type=int, default=40, help="steps from 0 to 1")
    parser.add_argument("--prices", default="4,8,12,16")
    asked = parser.parse_args()
    name: str = asked.scenario
    made = [scenario(name, asked.first_seed + at) for at in range(asked.seeds)]
    beliefs = [np.ascontiguousarray(each.oracle_probabilities) for each in made]
    for stability in DIAL:
        show(f"the product at {stability}", made, [product_labels(name, each, stability) for each in beliefs])
    grid = Grid(made[0].states, asked.grid)
    moves = next_beliefs(name, grid)
    for price in asked.prices.split(","):
        rule = best_rule(grid, moves, float(price))
        show(f"best at a price of {price}", made, [labels_of(rule, grid, each) for each in beliefs])


if __name__ == "__main__":
    main()
