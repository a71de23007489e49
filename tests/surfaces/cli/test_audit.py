"""The `audit` commands as a person types them."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ledger.samples import OPEN_AT, entry, execution, intended, one_of_every_kind, seen
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.adapters.local.release_key import ReleaseKeyFile
from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase
from magellan.audit.change import Change, Result
from magellan.ledger.entries import AlertRaised, AnswerIs, AnswerTo, Halted, NewEntry, OrderAnswered
from magellan.plan.actor import Actor
from magellan.surfaces.cli.app import run
from magellan.trading.order import OrderSide
from magellan.trading.purpose import OrderPurpose
from reference.plain_chain import head_of

Call = Callable[..., tuple[int, str, str]]
ENTRIES = len(one_of_every_kind())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "magellan.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAGELLAN_WORKSPACE", raising=False)
    monkeypatch.delenv("MAGELLAN_LEDGER_URL", raising=False)
    return tmp_path


@pytest.fixture
def call(desk: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    def called(*words: str) -> tuple[int, str, str]:
        code = run(["audit", *words])
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return called


def write(desk: Path, entries: list[NewEntry], account: str = "PA1") -> None:
    ledger = SqlLedger(SqliteDatabase(desk / ".magellan/ledger.sqlite"), lambda: OPEN_AT)
    with ledger.writer(account) as writer:
        writer.append(entries)
    ledger.close()


def one_win_and_one_loss() -> list[NewEntry]:
    leave = intended("out", purpose=OrderPurpose.EXIT, side=OrderSide.SELL, reason="session end", idea=None)
    return [
        entry(intended()),
        *seen(execution("x-1", "100", "5.01", commission="0.50")),
        entry(leave, minutes=2),
        *seen(execution("x-2", "-100", "5.51", order="out", commission="0.50", minutes=3)),
        entry(intended("mg1-later"), minutes=4),
        *seen(execution("x-3", "100", "5", order="mg1-later", minutes=5)),
        *seen(execution("x-4", "-100", "4.75", order="out", minutes=6)),
    ]


def test_a_sound_ledger_verifies_and_prints_its_head(desk: Path, call: Call) -> None:
    write(desk, one_of_every_kind())
    code, out, _ = call("verify")
    assert code == 0 and out.startswith(f"PA1: sound, {ENTRIES} entries, head {ENTRIES}:")
    head = out.split()[-1]
    assert call("verify", "--head", head)[0] == 0
    code, out, _ = call("verify", "--head", head, "--json")
    assert json.loads(out) == {"PA1": {"sound": True, "entries": ENTRIES, "head": head}}


def test_a_changed_entry_is_named_and_the_command_ends_with_1(desk: Path, call: Call) -> None:
    write(desk, one_of_every_kind())
    with sqlite3.connect(desk / ".magellan/ledger.sqlite") as connection:
        connection.execute(
            "UPDATE ledger_entries SET line = replace(line, '5.0125', '5.0124') WHERE number = 12"
        )
    connection.close()
    assert call("verify") == (1, "PA1: BROKEN at entry 12: its line does not have its hash\n", "")
    code, _, err = call("trades")
    assert code == 1 and "damaged: entry 12" in err and "magellan audit verify" in err


def test_a_ledger_that_was_written_anew_shows_against_a_head_that_was_noted(desk: Path, call: Call) -> None:
    write(desk, one_of_every_kind())
    head = call("verify")[1].split()[-1]
    (desk / ".magellan/ledger.sqlite").unlink()
    write(
        desk, [*one_of_every_kind()[1:], entry(AlertRaised(severity="info", text="")), *one_of_every_kind()]
    )
    assert call("verify")[0] == 0
    code, out, _ = call("verify", "--head", head)
    assert code == 1 and f"entry {ENTRIES}: it had another hash when it was noted" in out
    code, out, _ = call("verify", "--head", f"900:{'0' * 64}")
    assert code == 1 and "an entry 900 was noted elsewhere" in out
    assert call("verify", "--head", "what")[0] == 2


# -- changes -----------------------------------------------------------------------------------------------------


def record(desk: Path, *actions: str) -> ChangeLogFiles:
    log = ChangeLogFiles(desk / ".magellan/audit")
    for minute, action in enumerate(actions):
        log.append(
            Change(
                at=OPEN_AT + timedelta(minutes=minute),
                by=Actor(person="jane", host="desk", pid=41),
                action=action,
                subject="prod/bear_trap",
                where="local",
                why="a | b\nand <c>",
                result=Result.DONE,
                release="ab" * 32,
                evidence=("gate 7f3e",),
            )
        )
    return log


def test_the_ledger_and_the_log_of_changes_are_checked_together(desk: Path, call: Call) -> None:
    write(desk, one_of_every_kind())
    log = record(desk, "deploy", "rollback")
    code, out, _ = call("verify")
    assert code == 0
    assert out.splitlines()[1] == f"changes: sound, 2 entries, head {log.head}"
    assert call("verify", "--changes", "--head", str(log.head))[0] == 0
    path = desk / ".magellan/audit/changes-0000000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"jane", b"john", 1))
    code, out, _ = call("verify", "--json")
    assert code == 1
    found = json.loads(out)
    assert found["PA1"]["sound"] is True
    assert found["changes"] == {
        "sound": False,
        "entry": 2,
        "reason": "it does not follow from the one before, or the one before was changed",
    }


def test_changes_are_listed_shown_and_exported(desk: Path, call: Call) -> None:
    record(desk, "deploy", "rollback")
    assert "rollback" in call("list")[1]
    assert [each["action"] for each in json.loads(call("list", "--json")[1])["changes"]] == [
        "deploy",
        "rollback",
    ]
    (shown,) = json.loads(call("show", "changes", "--last", "1", "--json")[1])
    assert (shown["person"], shown["action"], shown["result"]) == ("jane", "rollback", "done")
    assert json.loads(call("show", "changes", "--from", "2026-01-21", "--json")[1]) == []
    rows = list(csv.DictReader(io.StringIO(call("export", "changes")[1])))
    assert [row["action"] for row in rows] == ["deploy", "rollback"]
    heading, rule, *table = call("export", "changes", "--format", "md")[1].splitlines()
    assert heading.startswith("| number | at | person |") and set(rule) <= set("|- ")
    assert len(table) == 2 and "a \\| b and &lt;c>" in table[0]
    assert call("export", "changes", "--format", "jsonl", "--from", "2026-01-20")[0] == 2
    assert call("export", "changes", "--symbol", "AMC")[0] == 2


@pytest.fixture
def key(desk: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The public half of a key that the workspace trusts."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(desk / "config"))
    public = ReleaseKeyFile(desk / "config/magellan/release_key.pem").make().public_key
    (desk / "magellan.toml").write_text(f'[releases.trusted_keys]\njane = "{public}"\n')
    return public


@pytest.fixture
def alone(desk: Path, call: Call) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The shipped program, run by a Python that has nothing of ours."""
    assert call("script", "--out", "verify_audit.py")[0] == 0

    def run_it(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-I", "-S", "verify_audit.py", *arguments]
        return subprocess.run(program, cwd=desk, capture_output=True, text=True)

    return run_it


def test_a_signed_checkpoint_finds_an_end_that_was_cut_off_with_its_head(
    desk: Path, call: Call, key: str, alone: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    write(desk, one_of_every_kind())
    record(desk, "deploy", "rollback")
    assert call("sign")[0] == 0
    shutil.copy(desk / ".magellan/audit/checkpoints.jsonl", desk / "elsewhere.jsonl")
    assert call("export", "entries", "--out", "entries.jsonl")[0] == 0
    signed = ("--checkpoints", "elsewhere.jsonl", "--key", key)
    assert "checkpoints: 2 signed ones" in call("verify", "--checkpoints", "elsewhere.jsonl")[1]
    done = alone(".magellan/audit", "entries.jsonl", *signed)
    assert done.returncode == 0 and "changes: sound, 2 entries" in done.stdout, done.stderr

    shutil.rmtree(desk / ".magellan/audit")
    record(desk, "deploy")
    assert call("verify")[0] == 0, "without the copy nobody can tell"
    code, out, _ = call("verify", "--checkpoints", "elsewhere.jsonl")
    assert code == 1 and "changes: BROKEN at entry 2: it is missing" in out
    done = alone(".magellan/audit", "entries.jsonl", *signed)
    assert done.returncode == 1 and "not the one of the checkpoint" in done.stderr


def test_a_checkpoint_that_was_changed_or_signed_by_somebody_else_counts_for_nothing(
    desk: Path, call: Call, key: str, alone: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    record(desk, "deploy", "rollback")
    assert call("sign")[0] == 0
    path = desk / ".magellan/audit/checkpoints.jsonl"
    sound = path.read_text()
    path.write_text(sound.replace("changes", "ledgers"))
    code, out, _ = call("verify")
    assert code == 1 and "its signature does not belong to it" in out
    assert alone(".magellan/audit", "--checkpoints", str(path), "--key", key).returncode == 1
    path.write_text(sound)
    (desk / "magellan.toml").write_text("")
    code, out, _ = call("verify")
    assert code == 1 and "which magellan.toml does not trust" in out


def test_a_key_that_nobody_trusts_signs_nothing(desk: Path, call: Call, key: str) -> None:
    record(desk, "deploy")
    (desk / "magellan.toml").write_text("")
    code, _, err = call("sign")
    assert code == 1 and "does not trust the key" in err
    assert not (desk / ".magellan/audit/checkpoints.jsonl").exists()


def test_nothing_is_signed_that_does_not_verify(desk: Path, call: Call, key: str) -> None:
    record(desk, "deploy", "rollback")
    (desk / ".magellan/audit/head.json").unlink()
    code, _, err = call("sign")
    assert code == 1 and "changes is broken" in err
    assert not (desk / ".magellan/audit/checkpoints.jsonl").exists()


@pytest.mark.parametrize("tamper", ["edit", "cut", "swap", "drop"])
def test_the_shipped_program_finds_what_the_command_finds(
    desk: Path, call: Call, alone: Callable[..., subprocess.CompletedProcess[str]], tamper: str
) -> None:
    record(desk, *["deploy"] * 6)
    path = desk / ".magellan/audit/changes-0000000001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert alone(".magellan/audit").stdout == call("verify")[1]
    changed = {
        "edit": [*lines[:5], lines[5].replace(b"jane", b"john")],
        "cut": [*lines[:4], lines[4][:-3]],
        "swap": [lines[1], lines[0], *lines[2:]],
        "drop": lines[:3] + lines[4:],
    }
    path.write_bytes(b"".join(changed[tamper]))
    assert call("verify")[0] == 1
    done = alone(".magellan/audit")
    assert done.returncode == 1 and done.stderr.startswith("BROKEN")


def test_trades_are_shown_with_what_they_say_together(desk: Path, call: Call) -> None:
    write(desk, one_win_and_one_loss())
    code, out, _ = call("trades")
    assert code == 0
    assert "2 closed: 1 won, 1 lost, 0 even, net +24.00 USD after 1.00 of commission, win rate 50.0%" in out
    assert "session end" in out and "+49.00" in out and "-25.00" in out
    code, out, _ = call("trades", "--outcome", "loss", "--json")
    document = json.loads(out)
    assert [each["trade_id"] for each in document["trades"]] == ["x-3"]
    assert document["performance"]["net_usd"] == "-25.00"
    assert document["performance"]["missing"]["payoff_ratio"] == "no trade gained"


@pytest.mark.parametrize(
    ("options", "trades"),
    [
        ([], ["x-1", "x-3"]),
        (["--symbol", "AMC"], ["x-1", "x-3"]),
        (["--symbol", "GME"], []),
        (["--strategy", "bear_trap"], ["x-1", "x-3"]),
        (["--strategy", "other"], []),
        (["--outcome", "win"], ["x-1"]),
        (["--outcome", "open"], []),
        (["--from", "2026-01-20", "--to", "2026-01-20"], ["x-1", "x-3"]),
        (["--from", "2026-01-21"], []),
        (["--to", "2026-01-19"], []),
    ],
)
def test_trades_are_found_by_date_symbol_outcome_and_strategy(
    desk: Path, call: Call, options: list[str], trades: list[str]
) -> None:
    write(desk, one_win_and_one_loss())
    found = json.loads(call("trades", "--json", *options)[1])["trades"]
    assert [each["trade_id"] for each in found] == trades


def test_the_same_rows_are_exported_to_csv_json_lines_and_parquet(desk: Path, call: Call) -> None:
    write(desk, one_win_and_one_loss())
    for ending in ("csv", "jsonl", "parquet"):
        assert call("export", "trades", "--out", f"trades.{ending}")[0] == 0
    in_csv = list(csv.DictReader(io.StringIO((desk / "trades.csv").read_text())))
    in_lines = [json.loads(line) for line in (desk / "trades.jsonl").read_text().splitlines()]
    in_parquet = pq.read_table(desk / "trades.parquet").to_pylist()
    assert [row["trade_id"] for row in in_csv] == ["x-1", "x-3"]
    for one, two, three in zip(in_csv, in_lines, in_parquet, strict=True):
        assert one.keys() == two.keys() == three.keys()
        for name in ("net_profit_loss", "price", "slippage", "r_multiple", "total_value"):
            assert Decimal(one[name]) == Decimal(two[name]) == three[name]
        assert one["outcome"] == two["outcome"] == three["outcome"]
        assert one["timestamp"] == two["timestamp"] == three["timestamp"].isoformat().replace("+00:00", "Z")
        assert two["indicators_used"] == three["indicators_used"] == json.loads(one["indicators_used"])
        assert one["release_id"] == "" and two["release_id"] is None and three["release_id"] is None


@pytest.mark.parametrize("ending", ["csv", "parquet", "md"])
def test_the_ledgers_own_lines_are_not_written_under_another_formats_name(
    desk: Path, call: Call, ending: str
) -> None:
    write(desk, one_win_and_one_loss())
    code, _, told = call("export", "entries", "--out", f"entries.{ending}")
    assert (code, (desk / f"entries.{ending}").exists()) == (2, False)
    assert "jsonl" in told


@pytest.mark.parametrize(
    ("what", "rows", "column"),
    [("orders", 4, "client_order_id"), ("executions", 2, "execution_id"), ("decisions", 1, "indicators")],
)
def test_orders_executions_and_decisions_are_exported(
    desk: Path, call: Call, what: str, rows: int, column: str
) -> None:
    write(desk, one_of_every_kind())
    code, out, _ = call("export", what)
    table = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and len(table) == rows and all(row[column] for row in table)
    assert call("export", what, "--out", "rows.parquet")[0] == 0
    assert pq.read_table(desk / "rows.parquet").num_rows == rows


def test_exported_entries_are_checked_by_a_program_that_knows_nothing_of_ours(desk: Path, call: Call) -> None:
    write(desk, one_of_every_kind())
    head = call("verify")[1].split()[-1]
    assert call("export", "entries", "--out", "entries.jsonl")[0] == 0
    program = Path(__file__).parents[2] / "reference/plain_chain.py"
    done = subprocess.run(
        [sys.executable, "-I", str(program), "entries.jsonl"], cwd=desk, capture_output=True, text=True
    )
    assert done.stdout == head + "\n"
    lines = (desk / "entries.jsonl").read_bytes().splitlines()
    with pytest.raises(ValueError, match="entry 13 does not follow"):
        head_of([*lines[:11], lines[11].replace(b"5.0125", b"5.0124"), *lines[12:]])
    assert call("export", "entries", "--from", "2026-01-20")[0] == 2
    assert call("export", "entries", "--format", "csv")[0] == 2


def test_a_day_is_summed_up_from_its_entries(desk: Path, call: Call) -> None:
    write(desk, one_of_every_kind())
    code, out, _ = call("day", "2026-01-20")
    assert code == 0
    for words in (
        "PA1 on 2026-01-20",
        "1 enter_long",
        "denied by our limits: 1 max_order_notional_usd",
        "held at the end: BRK.B 2",
        "breaker daily_loss tripped: lost 3.1 % of 3 %",
        "breaker daily_loss let go by Ada",
        "book and broker differ (position BRK.B): adopted",
        "exceptions: 1",
        f"head {ENTRIES}:",
    ):
        assert words in out
    assert "nothing was recorded" in call("day", "2026-01-19")[1]
    assert json.loads(call("day", "2026-01-20", "--json")[1])["net_usd"] == "47.897777777833"


def test_a_day_tells_a_refused_cancel_from_a_refused_order_and_who_had_everything_left(
    desk: Path, call: Call
) -> None:
    refused = [
        OrderAnswered(client_order_id="mg1-entry", to=to, answer=AnswerIs.REFUSED, order=None, message="no")
        for to in (AnswerTo.SUBMIT, AnswerTo.CANCEL, AnswerTo.CANCEL)
    ]
    left = Halted(source="http", person="Bob", reason="weekend", flattens=True)
    write(desk, [*one_of_every_kind(), *(entry(each) for each in (*refused, left))])
    out = call("day", "2026-01-20")[1]
    assert "1 refused by the broker, 2 cancels or replacements refused" in out
    assert "halted by Ada: news" in out and "everything left, asked for by Bob: weekend" in out


def test_a_day_goes_on_behind_an_entry_that_another_clock_dated_later(desk: Path, call: Call) -> None:
    """The watch halts by this machine's clock, while a session lives by that of a paced exchange."""
    halted = Halted(source="watchdog", person=None, reason="no sign of life", flattens=True)
    days = [entry(AlertRaised(severity="info", text="x"), minutes=1440 * day) for day in range(1, 7)]
    of_the_day = one_of_every_kind()
    write(desk, [entry(halted, minutes=3 * 1440), *of_the_day, *days, entry(halted)])
    out = call("day", "2026-01-20")[1]
    assert "held at the end: BRK.B 2" in out and "halted by Ada: news" in out
    assert f"head {len(of_the_day) + 1}:" in out, "behind six later dates nothing is looked for"
    assert "everything left" not in out


def test_entries_are_shown_as_they_were_written(desk: Path, call: Call) -> None:
    write(desk, one_of_every_kind())
    code, out, _ = call("show", "execution", "--last", "1")
    assert code == 0 and "execution_id x-2" in out and "x-1" not in out
    (shown,) = json.loads(call("show", "breaker_reset", "--json")[1])
    assert shown["payload"]["person"] == "Ada" and len(shown["hash"]) == 64
    code, _, err = call("show", "wishes")
    assert code == 2 and "there is no kind wishes" in err


def test_accounts_are_listed_with_what_our_book_holds(desk: Path, call: Call) -> None:
    write(desk, one_of_every_kind())
    write(desk, one_win_and_one_loss()[:2], account="PA2")
    code, out, _ = call("list")
    assert code == 0 and "BRK.B 2" in out and "AMC 100" in out
    lines = json.loads(call("list", "--json")[1])["accounts"]
    assert [(each["account"], each["head"]["number"]) for each in lines] == [("PA1", ENTRIES), ("PA2", 2)]
    code, _, err = call("trades")
    assert code == 1 and "several accounts: PA1, PA2" in err and "--account" in err
    assert call("trades", "--account", "PA2")[0] == 0
    assert "no account PA9; there are: PA1, PA2" in call("trades", "--account", "PA9")[2]


def test_a_workspace_without_a_ledger_says_so_and_gets_none(desk: Path, call: Call) -> None:
    assert call("list") == (0, "the ledger is empty; it fills when a strategy runs\n", "")
    code, _, err = call("verify")
    assert code == 1 and "the ledger is empty" in err
    assert not (desk / ".magellan").exists()


def test_the_check_that_the_guide_prints_works_as_printed(desk: Path, call: Call) -> None:
    write(desk, one_of_every_kind())
    head = call("verify")[1].split()[-1]
    assert call("export", "entries", "--out", "entries.jsonl")[0] == 0
    guide = (Path(__file__).parents[3] / "docs/guides/ledger.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    checking = [sys.executable, "-I", "-c", program]
    assert subprocess.run(checking, cwd=desk, capture_output=True, text=True).stdout == head + "\n"
    lines = (desk / "entries.jsonl").read_bytes()
    (desk / "entries.jsonl").write_bytes(lines.replace(b"5.0125", b"5.0124", 1))
    assert "broken at entry 13" in subprocess.run(checking, cwd=desk, capture_output=True, text=True).stderr


def test_an_address_of_a_ledger_that_is_none_is_refused_without_being_repeated(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAGELLAN_LEDGER_URL", "canary-5417 is no address")
    code, _, err = call("list")
    assert code == 1 and "the ledger's address is no URL" in err and "canary" not in err
