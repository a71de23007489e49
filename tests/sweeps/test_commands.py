"""`sweep`, `walkforward` and `replay` as they are typed."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from magellan.backtest.sweep_result import METRICS

GRID = ("--grid", "period=3,5,8", "--grid", "upper=40:65:12.5", "--workers", "1")
Captured = pytest.CaptureFixture[str]


def answer_of(lab: Any, capsys: Captured, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The JSON answer of a command."""
    assert lab.call(*arguments, "--json") == code, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refusal_of(lab: Any, capsys: Captured, *arguments: str, code: int = 1) -> str:
    assert lab.call(*arguments) == code
    return capsys.readouterr().err


# sweep --------------------------------------------------------------------------------------------------------


def test_a_sweep_shows_the_best_with_everything_that_speaks_against_it(lab: Any, capsys: Captured) -> None:
    assert lab.call("sweep", "band", *GRID) == 0
    shown = capsys.readouterr()
    text = " ".join(shown.out.split())
    assert "6 parameter sets on HARBOR, ANCHOR" in text
    assert "1 thread on this machine" in text
    assert "generated data: the result says nothing about any market" in text
    assert "not tried, 3 sets (e.g. period=3, upper=40): lower is above upper" in text
    assert "6 sets were tried" in text and "lost money" in text
    assert "the best of so many without any skill" in text
    assert "Deflated Sharpe ratio: " in text
    assert re.search(r"A (plateau|spike): a small change", text)
    assert "All of this was measured on the very bars that chose the set." in text
    assert re.search(r"magellan backtest band --set period=\d+ --set upper=[\d.]+", text)
    assert "magellan walkforward band --grid period=3,5,8 --grid upper=40:65:12.5" in text
    assert "kept the sweep in " in shown.err


def test_the_command_that_a_sweep_shows_repeats_its_best_set(lab: Any, capsys: Captured) -> None:
    best = answer_of(lab, capsys, "sweep", "band", *GRID, "--no-report")["sets"][0]
    chosen = ("--set", f"period={best['period']}", "--set", f"upper={best['upper']}")
    run = json.loads(_output(lab, capsys, "backtest", "band", *chosen, "--no-report", "--json", "-"))
    assert run["equity_end_usd"] == pytest.approx(best["equity_end_usd"])
    assert run["metrics"]["sharpe"] == pytest.approx(best["sharpe"])
    assert run["metrics"]["drawdown_fraction_max"] == pytest.approx(best["drawdown_fraction_max"])
    assert run["metrics"]["profit_factor"] == pytest.approx(best["profit_factor"])


def _output(lab: Any, capsys: Captured, *arguments: str) -> str:
    assert lab.call(*arguments) == 0
    return capsys.readouterr().out


def test_a_sweep_answers_in_json_with_best_judgement_and_all_that_was_left_out(
    lab: Any, capsys: Captured
) -> None:
    answer = answer_of(lab, capsys, "sweep", "band", *GRID, "--top", "2", "--metric", "return_fraction")
    assert answer["ranked_by"] == {"metric": "return_fraction", "trades_min": 1}
    assert answer["sets"][0]["set"] == answer["best"]
    assert len(answer["sets"]) == 2
    assert answer["sets"][0]["return_fraction"] >= answer["sets"][1]["return_fraction"]
    assert answer["judgement"]["trials"] == 6
    assert answer["rejected"][0]["sets"] == 3
    assert Path(answer["kept_at"], "result.json").is_file()


def test_the_whole_table_goes_to_files_and_the_heat_map_to_the_reports(lab: Any, capsys: Captured) -> None:
    folder = lab.root / "tables"
    files = [folder / f"sets{ending}" for ending in (".csv", ".json", ".parquet")]
    outs = [word for path in files for word in ("--out", str(path))]
    answer = answer_of(lab, capsys, "sweep", "band", *GRID, *outs)
    assert len(list(csv.DictReader(files[0].read_text().splitlines()))) == 6
    assert len(json.loads(files[1].read_text())) == 6
    assert files[2].read_bytes()[:4] == b"PAR1"
    (page,) = (lab.root / "reports").glob("sweep-*.html")
    assert page.stem == f"sweep-{answer['sweep_id']}"
    assert [str(path) for path in (*files, page)] == answer["files"]
    assert "Generated data" in page.read_text()


def test_a_random_sweep_draws_as_many_sets_as_asked(lab: Any, capsys: Captured) -> None:
    ranges = ("--random", "7", "--range", "period=3:30", "--range", "upper=50:70", "--seed", "4")
    answer = answer_of(lab, capsys, "sweep", "band", *ranges, "--workers", "2")
    assert answer["judgement"]["trials"] == 7
    assert answer["manifest"]["space"]["seed"] == 4
    assert answer["files"] == []


def test_a_sweep_is_carried_out_on_a_dask_cluster_of_two_workers(lab: Any, capsys: Captured) -> None:
    here = answer_of(lab, capsys, "sweep", "asks", *GRID)
    there = answer_of(lab, capsys, "sweep", "asks", *GRID[:4], "--cluster", "local:2")
    assert there == here


def test_the_guide_names_every_metric() -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/sweeps.md").read_text()
    assert [name for name in METRICS if f"`{name}`" not in guide] == []


def test_too_few_trades_leave_no_best_set_and_say_so(lab: Any, capsys: Captured) -> None:
    assert lab.call("sweep", "band", *GRID, "--min-trades", "500") == 0
    text = capsys.readouterr().out
    assert "there is no best set: no set has 500 trades; the most is" in text
    assert "magellan backtest" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--grid", "perid=3"), "no parameter 'perid'"),
        (("--grid", "period=0,1"), "refuses every parameter set"),
        (("--grid", "period=3", "--metric", "sharp"), "cannot be ranked by 'sharp'"),
        (("--grid", "period=3", "--out", "sets.xls"), "no kind of table"),
        (("--grid", "period=3", "--cluster", "somewhere"), "not the address of a cluster"),
        (("--grid", "period=3", "--cluster", "local:2", "--workers", "2"), "the work goes to a cluster"),
        (("--random", "5"), "no parameter to vary"),
        (("--range", "period=3:5"), "nothing is drawn"),
        (("--grid", "period=3", "--from", "1999-01-01", "--to", "1999-02-01"), "no regular 1Day bar"),
    ],
)
def test_a_mistake_is_told_in_words(
    lab: Any, capsys: Captured, arguments: tuple[str, ...], message: str
) -> None:
    told = refusal_of(lab, capsys, "sweep", "band", *arguments)
    assert message in told
    assert "Traceback" not in told
    assert not list((lab.root / ".magellan").glob("crash/*"))


@pytest.mark.parametrize("arguments", [("--seed", "x"), ("--top", "0"), ("--workers", "0")])
def test_wrong_usage_ends_with_2(lab: Any, capsys: Captured, arguments: tuple[str, ...]) -> None:
    refusal_of(lab, capsys, "sweep", "band", "--grid", "period=3", *arguments, code=2)


WAITS = """
import os
from magellan.strategy.contract import Parameters, Strategy
class Own(Parameters):
    period: int = 2
class Waits(Strategy):
    Parameters = Own
    def features(self, bars, p):
        if p.period == 7 and "MAGELLAN_TEST_PIPES" in os.environ:
            here, go_on = os.environ["MAGELLAN_TEST_PIPES"].split(":")
            open(here, "w").close()
            open(go_on).close()
        return {"other": bars.close * p.period}
    def enter_long(self, f, p):
        return f.other > f.open * p.period
    def exit_long(self, f, p):
        return f.other < f.open * p.period
"""


def test_ctrl_c_keeps_every_finished_set_and_resume_ends_with_the_same_bytes(
    lab: Any, tmp_path: Path, capsys: Captured
) -> None:
    lab.add("waits", WAITS, symbols=["HARBOR"])
    sets = ("--grid", "period=2:40", "--workers", "1")
    here, go_on = tmp_path / "here", tmp_path / "go_on"
    os.mkfifo(here)
    os.mkfifo(go_on)
    with subprocess.Popen(
        [sys.executable, "-m", "magellan", "sweep", "waits", *sets, "--workspace", str(lab.root)],
        env={**os.environ, "MAGELLAN_TEST_PIPES": f"{here}:{go_on}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            here.open().close()  # returns when the sweep has come to the set with period 7
            process.send_signal(signal.SIGINT)
            go_on.open("w").close()
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, errors
    told = re.search(r"interrupted after (\d+) of 39 parameter sets; kept: their results, in (\S+)", errors)
    assert told is not None, errors
    assert "next: run the same command with --resume to go on from there" in errors
    folder = Path(told[2])
    kept = len(folder.joinpath("finished.jsonl").read_text().splitlines())
    assert kept - int(told[1]) in (0, 1)  # the signal may come when a set is written and not yet counted
    assert 5 <= int(told[1]) <= 39  # the set at hand is finished; more may be, before the signal is heard
    assert not folder.joinpath("result.json").exists()

    assert lab.call("sweep", "waits", *sets, "--resume") == 0
    assert f"{kept} of them from before" in capsys.readouterr().out
    resumed = folder.joinpath("result.json").read_bytes()
    assert lab.call("sweep", "waits", *sets) == 0
    assert folder.joinpath("result.json").read_bytes() == resumed


# walkforward --------------------------------------------------------------------------------------------------

WALK = ("--grid", "period=3,5,8", "--train", "100", "--test", "40", "--min-trades", "4", "--workers", "1")


def test_a_walk_shows_every_window_and_the_chain(lab: Any, capsys: Captured) -> None:
    assert lab.call("walkforward", "band", *WALK) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "5 windows, each trained on 100 sessions with 3 parameter sets" in text
    assert "generated data" in text
    assert "efficiency: the one over the other" in text
    assert "changed from one to the next" in text


def test_a_walk_answers_in_json_with_its_windows_and_what_is_missing(lab: Any, capsys: Captured) -> None:
    answer = answer_of(lab, capsys, "walkforward", "band", *WALK, "--anchored")
    assert [window["test_sessions"] for window in answer["windows"]][:-1] == [40] * 4
    assert {window["train_from"] for window in answer["windows"]} == {answer["windows"][0]["train_from"]}
    assert answer["out_of_sample"]["trades"] == sum(window["test_trades"] for window in answer["windows"])
    assert set(answer["missing"]) == {
        name for name, value in answer["out_of_sample"].items() if value is None
    }


def test_a_walk_that_never_chooses_says_why_in_every_window(lab: Any, capsys: Captured) -> None:
    assert lab.call("walkforward", "band", *WALK[:6], "--min-trades", "900") == 0
    text = capsys.readouterr().out
    assert text.count("no set has 900 trades; the most is") == 5
    assert "missing, efficiency: nothing was chosen in any window" in text


def test_windows_that_do_not_fit_are_refused(lab: Any, capsys: Captured) -> None:
    told = refusal_of(lab, capsys, "walkforward", "band", "--grid", "period=3", "--train", "1000")
    assert "sessions are too few: one window needs 1000 to train on and 63 to test on" in told


# replay -------------------------------------------------------------------------------------------------------

PEEKS = """
import numpy as np
from magellan.strategy.contract import Strategy
class Peeks(Strategy):
    def features(self, bars, p):
        return {"forward": np.append(bars.close[1:] / bars.close[:-1] - 1, 0.0)}
    def enter_long(self, f, p):
        return f.forward > 0
    def exit_long(self, f, p):
        return f.forward < 0
"""


@pytest.mark.parametrize("name", ["band", "asks"])
def test_an_honest_strategy_passes_the_look_ahead_check(lab: Any, capsys: Captured, name: str) -> None:
    answer = answer_of(lab, capsys, "replay", name, "--check-lookahead", "--cuts", "5", "--seed", "2")
    assert answer["passed"] and answer["findings"] == []
    assert answer["replay"]["cuts"] == 5
    assert answer["replay"]["decisions"] > 0 and answer["replay"]["fills"] > 0
    assert answer["columns"]["values"] > 0


def test_incident_11_a_forward_return_is_caught_in_the_column_and_in_what_is_decided(
    lab: Any, capsys: Captured
) -> None:
    lab.add("peeks", PEEKS)
    assert lab.call("replay", "peeks", "--check-lookahead") == 1
    text = capsys.readouterr().out
    assert "differs: HARBOR feature 'forward' at row " in text
    assert re.search(r"differs: \w+ decision at row \d+ \(2024-.* UTC\) is nothing when history ends", text)
    assert "this strategy knows the future" in text
    answer = answer_of(lab, capsys, "replay", "peeks", "--check-lookahead", code=1)
    assert not answer["passed"]
    assert answer["replay"]["difference"]["what"] == "decision"


def test_a_kept_run_is_replayed_byte_for_byte(lab: Any, capsys: Captured) -> None:
    assert lab.call("backtest", "band", "--set", "period=6", "--from", "2024-02-01") == 0
    capsys.readouterr()
    answer = answer_of(lab, capsys, "replay", "last")
    assert (answer["identical"] and answer["changed"] == ()) or answer["changed"] == []
    assert answer_of(lab, capsys, "replay", answer["run_id"][:6])["identical"]


def test_a_run_keeps_its_own_config_whatever_the_folder_says_now(lab: Any, capsys: Captured) -> None:
    assert lab.call("backtest", "band") == 0
    lab.add("band", lab.load("band").folder.strategy_file.read_text(), parameters={"period": 20})
    capsys.readouterr()
    assert answer_of(lab, capsys, "replay", "last")["identical"]


def test_code_that_changed_is_named_and_so_is_what_it_changed(lab: Any, capsys: Captured) -> None:
    assert lab.call("backtest", "band") == 0
    file = lab.load("band").folder.strategy_file
    file.write_text(file.read_text().replace("fraction=0.4", "fraction=0.3"))
    capsys.readouterr()
    answer = answer_of(lab, capsys, "replay", "last", code=1)
    assert not answer["identical"]
    assert [each.split(":")[0] for each in answer["changed"]] == ["code"]
    assert answer["differences"][0].startswith("cash_end_usd: ")
    file.write_text(file.read_text().replace("fraction=0.3", "fraction=0.4") + "# a remark\n")
    assert lab.call("replay", "last") == 0
    assert "identical, byte for byte, in spite of what has changed" in capsys.readouterr().out


def test_data_that_changed_is_named_with_its_checksums(lab: Any, capsys: Captured, bars_of: Any) -> None:
    assert lab.call("backtest", "band") == 0
    lab.put(bars_of("HARBOR", 1, 320))
    capsys.readouterr()
    answer = answer_of(lab, capsys, "replay", "last", code=1)
    (changed,) = answer["changed"]
    assert re.match(r"data: HARBOR was \d+ bars of generated/none/raw/regular/HARBOR/1Day", changed)


def test_code_that_is_not_a_pure_function_is_suspected(
    lab: Any, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    band = lab.load("band").folder.strategy_file.read_text()
    lab.add("reads", "import os\n" + band.replace("fraction=0.4", "fraction=float(os.environ['SIZE'])"))
    monkeypatch.setenv("SIZE", "0.4")
    assert lab.call("backtest", "reads") == 0
    monkeypatch.setenv("SIZE", "0.2")
    assert lab.call("replay", "last") == 1
    assert "the strategy's code is not a pure function" in capsys.readouterr().out


def test_a_strategy_is_no_run_and_an_unknown_run_names_the_newest(lab: Any, capsys: Captured) -> None:
    assert "'band' is a strategy, and no run" in refusal_of(lab, capsys, "replay", "band")
    told = refusal_of(lab, capsys, "replay", "abc")
    assert "no run 'abc' is kept" in told and "no session of the ledger begins so" in told
    assert "`magellan audit show session_began` lists the sessions" in told
    told = refusal_of(lab, capsys, "replay", "last", "--set", "period=3", code=2)
    assert "a run is replayed as it was" in told


def test_a_run_of_a_strategy_that_is_gone_says_so(lab: Any, capsys: Captured) -> None:
    assert lab.call("backtest", "band") == 0
    (lab.root / "dev" / "band").rename(lab.root / "dev" / "renamed")
    capsys.readouterr()
    assert "holds none of that name" in refusal_of(lab, capsys, "replay", "last")
