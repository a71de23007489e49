"""The command that simulates for hours: it goes on where it was stopped, and keeps what broke."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from magellan.errors import FixInput
from simulation.campaign import Broken
from simulation.long_run import Done, Journal, Terms, long_run, run_portion

ROOT = Path(__file__).parents[2]
TERMS = Terms(first_seed=500, run_days=1, minutes=60)


def done(terms: Terms, journal: Journal, days: int) -> list[range]:
    """Portions that a run simulates."""
    run = long_run(journal, terms, days, jobs=1, goes_on=lambda: True)
    return [range(each.first, each.end) for each in run]


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is simulated; seed 513 is broken."""

    def told(terms: Terms, seeds: range) -> Done:
        broken = {513: "Broken: for a test"} if 513 in seeds else {}
        return Done(first=seeds.start, end=seeds.stop, days=len(seeds) * terms.run_days, broken=broken)

    monkeypatch.setattr("simulation.long_run.run_portion", told)


@pytest.mark.usefixtures("quickly")
def test_a_run_that_was_stopped_goes_on_after_what_is_in_its_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    asked = iter((True, True, False))
    run = long_run(Journal(path, TERMS, "v1"), TERMS, 22, jobs=1, goes_on=lambda: next(asked))
    assert [each.first for each in run] == [500, 505]
    again = Journal(path, TERMS, "v2")
    assert done(TERMS, again, 22) == [range(510, 515), range(515, 520), range(520, 522)]
    assert again.total("days") == 22
    assert done(TERMS, Journal(path, TERMS, "v2"), 22) == []


@pytest.mark.usefixtures("quickly")
def test_a_broken_seed_stays_in_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    done(TERMS, Journal(path, TERMS, "v1"), 20)
    assert Journal(path, TERMS, "v1").broken == {513: "Broken: for a test"}


@pytest.mark.usefixtures("quickly")
def test_a_portion_whose_line_was_torn_is_simulated_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    done(TERMS, Journal(path, TERMS, "v1"), 20)
    path.write_bytes(path.read_bytes()[:-20])
    assert done(TERMS, Journal(path, TERMS, "v1"), 20) == [range(515, 520)]
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_journal_of_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path, TERMS, "v1")
    with pytest.raises(FixInput, match="is the journal of"):
        Journal(path, Terms(first_seed=501, run_days=1, minutes=60), "v1")


def test_a_seed_that_breaks_an_invariant_is_told_and_the_next_ones_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from simulation import campaign

    def simulate(seed: int, **terms: object) -> campaign.Outcome:
        if seed == 501:
            raise Broken("the book has 1, the broker 2")
        return real(seed, days=1, minutes=60)

    real = campaign.simulate
    monkeypatch.setattr(campaign, "simulate", simulate)
    told = run_portion(TERMS, range(500, 503))
    assert told.days == 3
    assert told.entries > 0
    assert list(told.broken) == [501]
    assert told.broken[501].startswith("Broken: the book has 1, the broker 2")


def test_days_are_shared_out_among_processes_and_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    command = [sys.executable, "-m", "tests.simulation", "--days", "12", "--seed", "600", "--run-days", "1"]
    told = subprocess.run(
        [*command, "--minutes", "60", "--jobs", "2", "--journal", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "12 of 12 days (100.0%)" in told.stdout
    assert told.stdout.splitlines()[-1].endswith("broken seeds: none")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["done"]["first"] for line in lines if "done" in line) == [600, 605, 610]
