"""Runners that are killed with SIGKILL at any instant make the trades of one that is not, and those of the backtest."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from lab.live.archived_week import (
    WEEKS,
    Kills,
    Outcome,
    Week,
    backtest_week,
    differences,
    disagreements,
    run_week,
    sample_workspace,
)

TWO_SESSIONS = replace(
    WEEKS["bear_trap"], symbols=("LIMPET", "URCHIN"), first_on=date(2025, 11, 26), last_on=date(2025, 11, 28)
)  # a Wednesday and, after Thanksgiving, a half day


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_workspace(tmp_path_factory.mktemp("sample") / "desk")


def killed(sample: Path, folder: Path, week: Week, *, every_minutes: float, most: int = 1000) -> Outcome:
    """The week with kills. A kill between an intent and its sending costs the order, as it must: then another seed."""
    for seed in (1, 2, 3):
        kills = Kills(seed=seed, every_minutes=every_minutes, most=most)
        outcome = run_week(sample, folder / f"killed {seed}", week, kills=kills)
        if not outcome.never_sent:
            return outcome
    raise AssertionError(
        f"an order was lost between intent and sending with every seed: {outcome.never_sent}"
    )


def same_with_and_without_kills(
    sample: Path, folder: Path, week: Week, *, every_minutes: float, most: int
) -> None:
    quiet = run_week(sample, folder / "undisturbed", week)
    assert differences(backtest_week(folder / "undisturbed", week), quiet.fills) == []
    assert len(quiet.trades) >= 3, "a week without trades shows nothing"
    disturbed = killed(sample, folder, week, every_minutes=every_minutes, most=most)
    assert disturbed.kills.total() >= min(most, 3)
    assert disagreements(quiet, disturbed) == []


def test_two_sessions_with_kills_make_the_trades_of_two_without_and_of_the_backtest(
    sample: Path, tmp_path: Path
) -> None:
    same_with_and_without_kills(sample, tmp_path, TWO_SESSIONS, every_minutes=45, most=5)


@pytest.mark.parametrize(
    ("strategy", "every_minutes"), [("bear_trap", 8), ("hourly_swing", 20), ("daily_trend", 400)]
)
def test_a_week_with_kills_every_few_minutes_makes_the_trades_of_one_without_and_of_the_backtest(
    sample: Path, tmp_path: Path, strategy: str, every_minutes: float
) -> None:
    same_with_and_without_kills(sample, tmp_path, WEEKS[strategy], every_minutes=every_minutes, most=1000)
