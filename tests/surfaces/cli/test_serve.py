"""`magellan serve` and `magellan token`, as processes."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from magellan.surfaces.cli.app import run
from magellan.wiring.records import change_log
from magellan.workspace.workspace import Workspace

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    (tmp_path / "magellan.toml").write_text("format = 1\n")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        code = run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_a_server_answers_whoever_has_a_token_and_ends_with_ctrl_c(command: Command, tmp_path: Path) -> None:
    code, token, notes = command("token", "issue", "dash", "--scopes", "read")
    assert code == 0 and "shown this once" in notes
    with subprocess.Popen(
        [sys.executable, "-m", "magellan", "serve", "--port", "0", "--json"],
        cwd=tmp_path, env=os.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        url = json.loads(process.stdout.readline())["url"]
        asked = urllib.request.Request(
            f"{url}/api/strategies", headers={"Authorization": f"Bearer {token.strip()}"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert json.load(answer)["data"] == []
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert b"Traceback" not in process.stderr.read()


def test_a_server_does_not_start_where_nobody_could_be_let_in(command: Command) -> None:
    code, _, notes = command("serve", "--port", "0")
    assert code == 1 and "there is no token" in notes and "magellan token issue" in notes


def test_a_server_that_others_reach_has_to_be_asked_for(command: Command) -> None:
    code, _, notes = command("serve", "--host", "0.0.0.0")
    assert code == 1 and "--expose-to-network" in notes


def test_tokens_are_listed_without_themselves_rotated_and_revoked(command: Command) -> None:
    first = json.loads(command("token", "issue", "dash", "--json")[1])
    second = json.loads(command("token", "issue", "dash", "--days", "3", "--json")[1])
    assert first["replaced_until"] is None and second["replaced_until"]
    code, listed, _ = command("token", "list", "--json")
    assert code == 0 and [each["name"] for each in json.loads(listed)] == ["dash", "dash"]
    assert first["token"] not in listed and second["token"] not in listed
    assert command("token", "revoke", "dash")[:2] == (0, "dash: 2 revoked\n")
    assert command("token", "list")[1].startswith("no tokens")
    assert command("token", "revoke", "dash")[0] == 1
    assert command("token", "issue", "dash", "--scopes", "trade")[0] == 1


def test_who_lets_somebody_in_or_shuts_him_out_is_in_the_audit_log(command: Command, tmp_path: Path) -> None:
    token = json.loads(command("token", "issue", "dash", "--scopes", "read,operate", "--json")[1])["token"]
    command("token", "issue", "dash", "--scopes", "trade")
    command("token", "revoke", "dash")
    kept = list(change_log(Workspace.at(tmp_path)).changes())
    told = [(each.change.action, each.change.subject, each.change.result) for each in kept]
    assert told == [
        ("token issue", "token dash", "begun"), ("token issue", "token dash", "done"),
        ("token issue", "token dash", "begun"), ("token issue", "token dash", "refused"),
        ("token revoke", "token dash", "begun"), ("token revoke", "token dash", "done"),
    ]  # fmt: skip
    assert kept[0].change.by.person and kept[0].change.note == "scopes read,operate"
    assert token not in repr(kept)


def test_the_file_of_tokens_is_its_owners_alone(command: Command, tmp_path: Path) -> None:
    command("token", "issue", "dash")
    assert (tmp_path / ".magellan" / "api_tokens.json").stat().st_mode & 0o077 == 0
