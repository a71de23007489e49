"""`magellan regime` over an archive: every symbol at once, and one symbol beside others."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from magellan.surfaces.cli.app import run

Command = Callable[..., tuple[int, str, str]]
DAYS = 260


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with daily bars of two symbols that move together."""
    folder = tmp_path_factory.mktemp("regimes")
    assert run(["init", str(folder), "--no-sample"]) == 0
    together = np.random.default_rng(1).standard_normal(DAYS)
    for seed, symbol in enumerate(("AAA", "BBB")):
        own = np.random.default_rng(10 + seed).standard_normal(DAYS)
        close = 100.0 * np.exp(0.01 * np.cumsum(together + 0.3 * own))
        days = np.datetime64("2024-01-01") + np.arange(DAYS)
        prices = (",".join([f"{price:.4f}"] * 4) for price in close)
        rows = (f"{day},{four},1000" for day, four in zip(days, prices, strict=True))
        (folder / f"{symbol}_1day.csv").write_text(
            "\n".join(["timestamp,open,high,low,close,volume", *rows]) + "\n"
        )
    imported = [
        "data", "import", str(folder / "AAA_1day.csv"), str(folder / "BBB_1day.csv"), "--timeframe", "1Day",
        "--vendor", "desk", "--hours", "regular", "--calendar", "24/7", "--timezone", "UTC", "--workspace", str(folder),
    ]  # fmt: skip
    assert run(imported) == 0
    return folder


@pytest.fixture
def command(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: str) -> tuple[int, str, str]:
        code = run([*arguments, "--workspace", str(workspace)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_every_archived_symbol_is_held_to_the_prefix_law_by_one_command(command: Command) -> None:
    code, out, err = command("regime", "evaluate", "--all", "--prefixes", "1", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert [each["symbol"] for each in found] == ["AAA", "BBB"]
    assert all(each["prefix_law"]["broken"] == [] and each["bars"] == DAYS for each in found)


def test_a_market_of_too_few_bars_is_not_said_to_have_regimes(command: Command) -> None:
    few = ("--from", "2024-01-01", "--to", "2024-02-01")
    code, out, err = command("regime", "evaluate", "AAA", *few, "--json")
    assert code == 0, err
    assert json.loads(out)["no_regimes_here"] is None
    assert "too few bars for a first fit" in command("regime", "evaluate", "AAA", *few)[1]
    listed = command("regime", "evaluate", "--all", *few)[1]
    assert [line.split()[3] for line in listed.splitlines() if line.split()[:1] == ["AAA"]] == ["-"]


def test_a_symbol_and_all_of_them_are_two_wishes(command: Command) -> None:
    assert command("regime", "evaluate", "AAA", "--all")[0] == 2


def test_other_symbols_make_the_correlation_known(command: Command) -> None:
    def correlation(*more: str) -> dict[str, object]:
        code, out, err = command("regime", "show", "AAA", *more, "--json")
        assert code == 0, err
        return next(each for each in json.loads(out)["evidence"] if each["component"] == "correlation")

    assert correlation()["missing"] == "there are no other symbols in this analysis"
    beside = correlation("--others", "BBB")
    assert beside["missing"] == ""
    assert isinstance(beside["value"], float) and beside["value"] > 0.7


def test_a_jump_that_nothing_explains_is_told_beside_the_answer(tmp_path: Path, command: Command) -> None:
    prices = [90.0] * 9 + [4.5] * 9
    rows = [f"2024-01-{day:02d},{','.join(4 * [str(each)])},1000" for day, each in enumerate(prices, 1)]
    (tmp_path / "SPLIT_1day.csv").write_text(
        "\n".join(["timestamp,open,high,low,close,volume", *rows]) + "\n"
    )
    code, _, err = command(
        "data", "import", str(tmp_path / "SPLIT_1day.csv"), "--timeframe", "1Day", "--vendor", "desk", "--hours",
        "regular", "--calendar", "24/7", "--timezone", "UTC",
    )  # fmt: skip
    assert code == 0, err
    for asked in ("show", "analyze", "evaluate"):
        _, _, notes = command("regime", asked, "SPLIT")
        assert "SPLIT, 2024-01-10: the price goes from 90 to 4.5 (x0.05)" in notes
    code, out, _ = command("regime", "evaluate", "--all", "--prefixes", "1")
    assert "SPLIT: prices jump and no corporate action says why" in " ".join(out.split())
    assert "prices jump" not in command("regime", "show", "AAA")[2]
    assert command("data", "split", "SPLIT", "--on", "2024-01-10", "--ratio", "20:1")[0] == 0
    assert "SPLIT" not in command("regime", "show", "SPLIT")[2]


@pytest.fixture(scope="module")
def calm_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two years of one symbol, which moves by ever less: its gate never shuts."""
    folder = tmp_path_factory.mktemp("calm")
    assert run(["init", str(folder), "--no-sample"]) == 0
    moves = np.random.default_rng(3).standard_normal(700) * np.linspace(0.02, 0.005, 700)
    close = 100.0 * np.exp(np.cumsum(moves))
    days = np.datetime64("2023-01-01") + np.arange(700)
    rows = (f"{day},{','.join([f'{price:.4f}'] * 4)},1000" for day, price in zip(days, close, strict=True))
    (folder / "CALM_1day.csv").write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]) + "\n")
    imported = [
        "data", "import", str(folder / "CALM_1day.csv"), "--timeframe", "1Day", "--vendor", "desk", "--hours",
        "regular", "--calendar", "24/7", "--timezone", "UTC", "--workspace", str(folder),
    ]  # fmt: skip
    assert run(imported) == 0
    return folder


def test_a_gate_that_never_shut_has_no_share_of_chance_in_the_list(
    calm_workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["regime", "evaluate", "CALM", "--workspace", str(calm_workspace)]) == 0
    assert "the gate was never shut" in capsys.readouterr().out
    assert run(["regime", "evaluate", "--all", "--prefixes", "1", "--workspace", str(calm_workspace)]) == 0
    listed = next(line for line in capsys.readouterr().out.splitlines() if line.split()[:1] == ["CALM"])
    assert listed.count("never shut") == 2 and "50%" not in listed


def test_a_fit_without_regimes_says_why_its_dial_has_no_price(
    calm_workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["regime", "analyze", "CALM", "--workspace", str(calm_workspace)]) == 0
    assert "no regimes, so no price of stability" in " ".join(capsys.readouterr().out.split())


def test_one_bar_obeys_no_prefix_law_and_has_no_probabilities(command: Command) -> None:
    one = ("--from", "2024-01-01", "--to", "2024-01-01")
    code, out, err = command("regime", "evaluate", "AAA", *one)
    assert code == 0, err
    assert "holds" not in out and "one bar has no prefix" in out
    listed = command("regime", "evaluate", "--all", *one)[1]
    assert [line.split()[2] for line in listed.splitlines() if line.split()[:1] == ["AAA"]] == ["-"]
    shown = command("regime", "analyze", "AAA", *one)[1]
    assert "None" not in shown and "low -  medium -  high -" in shown


@pytest.mark.parametrize(
    ("asked", "passed_over"),
    [
        (("analyze", "--generated", "eq3", "--from", "2010-01-01"), "--from and --to are of archived bars"),
        (("show", "AAA", "--seed", "3"), "--seed is of generated bars"),
        (("evaluate", "AAA", "--seeds", "2"), "--seeds is of generated scenarios"),
        (("evaluate", "--all", "--frozen"), "--frozen is of generated scenarios"),
        (("evaluate", "--to", "2024-02-01"), "--to is of archived bars"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    command: Command, asked: tuple[str, ...], passed_over: str
) -> None:
    code, out, err = command("regime", *asked)
    assert code == 1 and out == ""
    assert passed_over in err and "next: " in err
