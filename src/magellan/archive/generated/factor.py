"""Factors: daily shocks whose size comes in clusters and whose drift comes in moods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from magellan.archive.generated.chance import normal, student, uniforms
from magellan.trading.bar import Floats

SHOCK_FREEDOM = 5.0  # degrees of freedom of a day's shock: fat tails, finite variance and kurtosis
CLUSTER_DAYS, CLUSTER_SPREAD = 20.0, 0.46  # volatility's memory, and the spread of its logarithm
MOOD_DAYS, MOOD_STRETCH = 45.0, 0.22  # a regime's memory, and how much rougher a bad one is
MEMORY_DAYS = 200  # a process forgets what is older; this makes a day a function of seed and date alone


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factor:
    """One source of daily moves; shapes (days,), one value per calendar day."""

    session_shock: Floats  # mean 0, variance 1, Student-t
    overnight_shock: Floats  # likewise, before the session
    mood: Floats  # mean 0, variance 1, months long: > 0 trends up and is calm, < 0 trends down and is rough
    stretch: Floats  # what to multiply volatility by; its square has mean about 1


def factor(seed: int, name: str, first_day: int, last_day: int) -> Factor:
    """The factor `name` from first_day to last_day (days since 1970-01-01, both included)."""
    draws = uniforms(seed, f"{name}/days", first_day - MEMORY_DAYS, last_day, 8)
    cluster = _remembering(normal(draws[:, 0], draws[:, 1]), CLUSTER_DAYS)
    mood = _remembering(normal(draws[:, 2], draws[:, 3]), MOOD_DAYS)
    spread = CLUSTER_SPREAD * cluster - MOOD_STRETCH * mood
    days = draws[MEMORY_DAYS:]
    return Factor(
        session_shock=student(days[:, 4], days[:, 5], SHOCK_FREEDOM),
        overnight_shock=student(days[:, 6], days[:, 7], SHOCK_FREEDOM),
        mood=mood,
        # The mean of exp(2x) is exp(2 var x): taking var x away keeps the mean variance at 1.
        stretch=np.exp(spread - CLUSTER_SPREAD**2 - MOOD_STRETCH**2),
    )


def _remembering(noise: Floats, days: float) -> Floats:
    """A moving average of `noise` that fades over `days`, with variance 1; MEMORY_DAYS values shorter."""
    weights = np.exp(-np.arange(MEMORY_DAYS + 1) / days)
    return np.convolve(noise, weights / np.sqrt(np.sum(weights**2)), mode="valid")
