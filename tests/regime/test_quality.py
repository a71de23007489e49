"""What is measured about labels: scores beside the truth, calibration, and money beside chance."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import numpy as np
import pytest

from magellan.errors import FixInput
from magellan.regime.config import FilterConfig
from magellan.regime.day_profile import DayProfile
from magellan.regime.fitting import fit
from magellan.regime.observed import observed_of
from magellan.regime.quality.calibration import calibration
from magellan.regime.quality.dial import dial_prices
from magellan.regime.quality.money_test import money_test
from magellan.regime.quality.path_score import names_of_states, path_score
from magellan.regime.quality.scenario import SCENARIOS, Scenario, scenario
from magellan.trading.session import session_columns

Made = Callable[..., Scenario]


def test_a_path_is_scored_by_hand() -> None:
    truth = np.array([0] * 10 + [1] * 10 + [0] * 10)
    labels = truth.copy()
    labels[10:13] = 0  # three bars late
    labels[25] = 1  # one switch into a wrong state, and back
    score = path_score(labels, truth)
    assert score.accuracy == pytest.approx(26 / 30)
    assert score.delay_median_bars == 1.5
    assert score.wrong_switches == pytest.approx(1000 / 30)
    assert score.switches == pytest.approx(1000 * 4 / 30)
    assert score.missed == 0.0


def test_states_are_named_by_what_they_stand_for_most() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2])
    assert names_of_states(np.array([2, 2, 0, 0, 1, 1]), truth, found=3, states=3).tolist() == [1, 2, 0]
    assert names_of_states(np.zeros(6, dtype=np.int64), truth, found=1, states=3).tolist() == [0]


def test_honest_probabilities_are_calibrated_and_boasts_are_not() -> None:
    rng = np.random.default_rng(1)
    chance = rng.uniform(0.5, 1.0, 20_000)
    truth = (rng.random(20_000) > chance).astype(np.int64)
    assert calibration(np.column_stack((chance, 1.0 - chance)), truth).expected_error < 0.02
    boast = np.column_stack((np.full(20_000, 0.99), np.full(20_000, 0.01)))
    assert calibration(boast, truth).expected_error > 0.2


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_seed_gives_the_same_bars_and_another_seed_others(name: str) -> None:
    first, again, other = (scenario(name, seed, bars=400) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.bars.close, again.bars.close)
    assert not np.array_equal(first.bars.close, other.bars.close)
    first.bars.checked()


def test_the_oracle_is_right_as_often_as_it_says(made: Made) -> None:
    for name in ("vol2", "eq3", "intra4"):
        truth = made(name)
        assert calibration(truth.oracle_probabilities, truth.truth).expected_error < 0.03, name


def test_an_unknown_scenario_is_refused_with_those_that_exist() -> None:
    with pytest.raises(FixInput, match="no scenario called 'eq4'") as told:
        scenario("eq4", 1)
    assert "eq3drift" in told.value.next_step


RETURNS = 0.01 * np.random.default_rng(4).standard_normal(1500)
KNOWN = np.arange(1500) >= 100


def test_a_gate_that_sees_tomorrow_beats_chance_and_one_that_is_chance_does_not() -> None:
    clairvoyant = np.append(RETURNS[1:] > 0.0, True)
    seen = money_test(RETURNS, clairvoyant, KNOWN, bars_per_year=252.0)
    assert seen is not None and seen.sharpe_percentile == 1.0
    blind = np.random.default_rng(5).random(1500) < 0.5
    chance = money_test(RETURNS, blind, KNOWN, bars_per_year=252.0)
    assert chance is not None and 0.02 < chance.sharpe_percentile < 0.98


def test_a_gain_is_never_told_without_its_percentile() -> None:
    for seed in range(4):
        gate = np.repeat(np.random.default_rng(seed).random(150) < 0.7, 10)
        found = money_test(RETURNS, gate, KNOWN, bars_per_year=252.0)
        assert found is not None
        assert f"{found.sharpe_percentile:.0%} of gates of the same" in found.reading
        assert found.gated.sharpe <= found.hold.sharpe or "rose" in found.reading


def test_a_change_that_two_digits_hide_is_told_in_four() -> None:
    gate = np.ones(1500, dtype=bool)
    quiet = 100 + int(np.abs(RETURNS[101:] + RETURNS[100:-1]).argmin())
    gate[quiet - 1 : quiet + 1] = False  # in force for the two quietest bars in a row
    found = money_test(RETURNS, gate, KNOWN, bars_per_year=252.0)
    assert found is not None and f"{found.hold.sharpe:.2f}" == f"{found.gated.sharpe:.2f}"
    assert f"from {found.hold.sharpe:.4f} to {found.gated.sharpe:.4f}, better" in found.reading


def test_a_gate_that_never_shuts_shows_nothing() -> None:
    found = money_test(RETURNS, np.ones(1500, dtype=bool), KNOWN, bars_per_year=252.0)
    assert found is not None
    assert found.reading == "the gate was never shut: it did what holding does, and shows nothing"
    assert found.gated.return_per_year == found.hold.return_per_year


def test_a_gate_that_was_shut_once_was_not_never_shut() -> None:
    gate = np.ones(1500, dtype=bool)
    gate[700] = False
    found = money_test(RETURNS, gate, KNOWN, bars_per_year=252.0)
    assert found is not None and found.gated.exposure > 0.999
    assert "of gates of the same exposure at other times" in found.reading


def test_a_gate_acts_on_the_bar_behind_the_one_that_opened_it() -> None:
    returns = np.zeros(300)
    returns[200] = 0.5
    gate = np.zeros(300, dtype=bool)
    gate[200] = True  # known only when that bar has closed
    found = money_test(returns, gate, np.ones(300, dtype=bool), bars_per_year=252.0, cost_bps=0.0)
    assert found is not None and found.gated.return_per_year == 0.0


def test_few_bars_are_not_judged() -> None:
    assert money_test(RETURNS[:150], np.ones(150, dtype=bool), KNOWN[:150], bars_per_year=252.0) is None


def test_a_single_state_has_no_dial_to_price(made: Made) -> None:
    bars = made("null", 1, 1200).bars
    seen = observed_of(bars, session_columns(bars), DayProfile(flat_sessions=15.0))
    assert dial_prices(fit(seen, FilterConfig())) == ()


def test_the_commands_answer_in_json(magellan: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    shown = magellan("regime", "analyze", "--generated", "vol2", "--seed", "2", "--json")
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["bars"] == 6000 and len(found["states"]) == 2
    for axis in found["now"]["axes"]:
        assert sum(axis["probabilities"].values()) == pytest.approx(1.0)
    assert [each["stability"] for each in found["dial"]] == sorted({0.0, 0.2, 0.4, 0.6, 0.8})
    assert found["dial"][0]["share_of_best"] == 1.0


def test_a_command_that_names_no_bars_or_two_sets_says_so(
    magellan: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    for words, told in (((), "no symbol"), (("SPY", "--generated", "eq3"), "two sets of bars")):
        answer = magellan("regime", "show", *words)
        assert answer.returncode == 1
        assert told in answer.stderr


def test_a_config_file_is_checked_key_by_key(
    magellan: Callable[..., subprocess.CompletedProcess[str]], tmp_path
) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "regime.toml"
    file.write_text('view = "12"\n[decision]\nstability = 2.0\nsteadiness = 1\n')
    answer = magellan("regime", "show", "--generated", "vol2", "--config", file)
    assert answer.returncode == 1
    assert "decision.stability" in answer.stderr and "decision.steadiness" in answer.stderr
