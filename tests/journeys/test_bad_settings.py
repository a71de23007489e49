"""Bad settings: configs, symbols, dates and options that cannot work are refused before anything runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from journeys.desk import SYMBOLS, kept, refused, run


def edit(config: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(config.read_text())
    change(document)
    config.write_text(json.dumps(document))


def unknown_key(document: dict[str, Any]) -> None:
    document["parameters"]["fsat"] = document["parameters"].pop("fast")


def unknown_section(document: dict[str, Any]) -> None:
    document["limit"] = {"trades_per_day_max": 3}


def wrong_place(document: dict[str, Any]) -> None:
    document["execution"]["trades_per_day_max"] = 3


def wrong_types(document: dict[str, Any]) -> None:
    document["account"] = {"cash_usd": "lots"}
    document["symbols"] = "ANCHOR"


def missing(document: dict[str, Any]) -> None:
    del document["strategy"]["kind"]


BROKEN_CONFIGS = {
    "an unknown key": (unknown_key, ["parameters.fsat: unknown key (did you mean 'fast'?); allowed: fast, slow"]),
    "an unknown section": (unknown_section, ["limit: unknown key (did you mean 'limits'?)"]),
    "a key in the wrong section": (wrong_place, ["trades_per_day_max: unknown key (it belongs to limits)"]),
    "wrong types, all of them at once": (
        wrong_types,
        ["2 problems", 'account.cash_usd: found "lots"; allowed: a valid number', 'symbols: found "ANCHOR"'],
    ),
    "a key that is missing": (missing, ["strategy.kind: is missing (sets the defaults of the gates"]),
}  # fmt: skip


@pytest.mark.parametrize("change", BROKEN_CONFIGS)
def test_a_config_that_cannot_work_is_refused_by_its_key_incident_13(change: str, workspace: Path) -> None:
    edit(workspace / "dev/moods/config.json", BROKEN_CONFIGS[change][0])
    before = kept(workspace)
    done = run("backtest", "moods", cwd=workspace)
    refused(done, f"{workspace}/dev/moods/config.json: ", *BROKEN_CONFIGS[change][1], "next: ")
    assert done.stdout == ""
    assert kept(workspace) == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "config.json is empty"),
        (b'{"strategy": {"name":\n "moo', "config.json, line 2, column 2: Unterminated string"),
        (b"[1]", "config.json: found [1]; allowed: an object"),
        (b"\xff\xfe{}", "config.json: byte 0 is not UTF-8 text"),
        (b'{"symbols": ["A"], "symbols": ["B"]}', "symbols: stands there more than once"),
        (None, "config.json does not exist"),
    ],
    ids=["empty", "cut off", "a list", "not UTF-8", "a key twice", "missing"],
)
def test_a_config_that_is_no_config_is_refused_at_its_place(
    content: bytes | None, told: str, workspace: Path
) -> None:
    config = workspace / "dev/moods/config.json"
    config.unlink() if content is None else config.write_bytes(content)
    refused(run("backtest", "moods", cwd=workspace), told, "next: ")


REFUSED = {
    # command line: (exit code, what is said)
    "backtest modos": (1, "holds no strategy called 'modos'", "did you mean 'moods'? there are: dev/moods"),
    "backtest moods --symbols BRIGDE": (1, "the archive holds no BRIGDE 1Day", "did you mean BRIDGE?"),
    "backtest moods --symbols ,": (2, "',' names no symbol; write it like AMC,GME"),
    "backtest moods --from 2030-01-01": (
        1,
        "ANCHOR: no regular 1Day bar from 2030-01-01 to the end; the archive holds 2022-01-03 to 2023-12-29",
        "next: choose another range",
    ),
    "backtest moods --to 2021-12-31": (1, "no regular 1Day bar from the beginning to 2021-12-31"),
    "backtest moods --from 2023-12-11": (
        1,
        "14 bars are all within data.warmup_bars (20): nothing could be entered on any of them",
        "next: begin earlier with --from",
    ),
    "backtest moods --from 2023-06-01 --to 2023-01-01": (
        1,
        "the range from 2023-06-01 to 2023-01-01 ends before it begins",
        "next: put the earlier date first",
    ),
    "backtest moods --from 2023-02-30": (2, "'2023-02-30' is no date; write it like 2024-06-28"),
    "backtest moods --cash much": (2, "Invalid value for '--cash'"),
    "backtest moods --cash -1": (1, "account.cash_usd: found -1.0; allowed: greater than 0"),
    "backtest moods --fill never": (2, "'never' is not one of 'next-open', 'close'"),
    "backtest moods --session all": (
        1,
        "the config decides on all hours, the archive holds regular hours only (desk/one/raw/regular/ANCHOR/1Day)",
    ),
    "backtest moods --set fats=4": (1, "the strategy has no parameter 'fats'", "did you mean 'fast'?"),
    "backtest moods --set fast=often": (1, 'parameters.fast: found "often"; allowed: a valid integer'),
    "backtest moods --set fast": (1, "'fast' is not a setting", "write it as key=value"),
    "backtest moods --set execution.slipage_bps=1": (1, "unknown key (did you mean 'slippage_bps'?)"),
    "sweep moods --grid fsat=1,2": (1, "the strategy has no parameter 'fsat'", "did you mean 'fast'?"),
    "compare first last": (1, "no run 'first' is kept", "next: run `magellan backtest` first"),
    "data check BRIGDE": (1, "the archive holds no set of BRIGDE", "did you mean BRIDGE?"),
    "bakctest moods": (2, "No such command 'bakctest'. Did you mean 'backtest'?", "see `magellan --help`"),
    "data lst": (2, "No such command 'lst'", "see `magellan data --help`"),
    "backtest moods --jsno x": (2, "No such option: --jsno", "--json", "see `magellan backtest --help`"),
    "backtest": (2, "Missing argument 'strategy'", "see `magellan backtest --help`"),
}


@pytest.mark.parametrize("line", REFUSED)
def test_a_command_that_cannot_work_says_why_and_what_to_do(
    line: str, furnished: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, *told = REFUSED[line]
    before = kept(furnished)
    ended_with, answer, notes = command(*line.split(), at=furnished)
    assert (ended_with, answer) == (code, "")
    assert notes.startswith("error: ")
    missing = [each for each in told if each not in notes]
    assert not missing, f"{missing} not in:\n{notes}"
    assert "\nnext: " in notes
    assert kept(furnished) == before


def test_a_list_of_very_many_symbols_is_answered_in_a_few_lines(workspace: Path) -> None:
    many = [f"S{number:04d}" for number in range(3000)]
    done = run("backtest", "moods", "--symbols", ",".join([*SYMBOLS, *many]), cwd=workspace)
    refused(done, "the archive holds no S0000 1Day")
    assert len(done.stderr) < 1000
