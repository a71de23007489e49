"""Secrets stay where they were put: nothing that a session, its watch or a command writes repeats one (incident 29)."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

import pytest

from journeys.live_desk import LiveDesk, asked, exchange, live_desk, settings, until
from magellan.surfaces.cli.app import run
from magellan.surfaces.cli.failure import failure_of

__all__ = ["exchange", "live_desk"]

SECRET, PASSWORD, NEXT_PASSWORD = "canary-secret-6620", "canary-password-9917", "canary-password-4410"
NOBODY_LISTENS = "smtp://desk@127.0.0.1:9"


def processes_of(folder: Path) -> list[Path]:
    """The processes that work on a workspace, by what they were called with or where they are."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if (
                    str(folder).encode() in (entry / "cmdline").read_bytes()
                    or entry.joinpath("cwd").resolve() == folder
                ):
                    found.append(entry)
            except OSError:
                continue  # it has ended, or belongs to somebody else
    return found


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # in apprise
def test_no_secret_is_in_what_is_written_or_in_any_process_incident_29(
    live_desk: LiveDesk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    root = live_desk.root
    live_desk.key = f"canary-key-{os.getpid()}"
    headers = {"APCA-API-KEY-ID": live_desk.key, "APCA-API-SECRET-KEY": SECRET}
    live_desk.number = asked(f"{live_desk.exchange.url}/v2/account", headers=headers)["account_number"]
    settings(live_desk)
    (root / ".env").write_text(
        f"ALPACA_API_KEY={live_desk.key}\nALPACA_API_SECRET={SECRET}\nMAIL_PASSWORD={PASSWORD}\n"
    )
    (root / ".env").chmod(0o600)
    with (root / "magellan.toml").open("a") as file:
        file.write(
            "\n[notifications.channels.mail]\n"
            f'kind = "email"\nserver = "{NOBODY_LISTENS}"\nsender = "a@example.com"\nto = ["b@example.com"]\n'
            'secret = "MAIL_PASSWORD"\nleast = "info"\n'
        )
    del live_desk.env["ALPACA_API_KEY"], live_desk.env["ALPACA_API_SECRET"]
    runner = live_desk.started()
    (live_desk.folder / "RAISES").touch()
    until((root / ".magellan/outbox/mail").is_dir)  # something is to be told
    until((root / ".magellan/metrics/magellan.prom").is_file)
    for process in processes_of(root):
        seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        assert not [
            each for each in (live_desk.key, SECRET, PASSWORD, NEXT_PASSWORD) if each.encode() in seen
        ], process
    monkeypatch.chdir(root)
    before = live_desk.beat()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{NEXT_PASSWORD}\n"))
    assert run(["secrets", "rotate", "MAIL_PASSWORD"]) == 0
    assert run(["secrets", "rotate", "MAIL_PASSWORD", "--finish"]) == 0
    assert before is not None and runner.poll() is None, "the session goes on meanwhile"
    until(lambda: (live_desk.beat() or before)["at"] > before["at"])
    assert (live_desk.beat() or {})["session_id"] == before["session_id"]
    os.kill(runner.pid, signal.SIGTERM)
    assert live_desk.ended(runner)[0] == 0
    for command in ("halt --by jane --reason why", "status", "audit show", "secrets list", "notify outbox --json",
                    "notify test", "metrics show"):  # fmt: skip
        run(command.split())
    told = "".join(capfd.readouterr())
    assert "MAIL_PASSWORD" in told
    assert not [each for each in (live_desk.key, SECRET, PASSWORD, NEXT_PASSWORD) if each in told]
    for path in root.rglob("*"):
        if path.is_file() and path.name != ".env":
            content = path.read_bytes()
            assert not [
                each for each in (live_desk.key, SECRET, PASSWORD, NEXT_PASSWORD) if each.encode() in content
            ], path


@pytest.mark.parametrize("kept_in", ["environment", ".env"])
def test_the_traceback_of_a_defect_repeats_no_secret_incident_29(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_in: str
) -> None:
    (tmp_path / "magellan.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    if kept_in == "environment":
        monkeypatch.setenv("DATA_VENDOR_TOKEN", SECRET)
    else:
        (tmp_path / ".env").write_text(f"DATA_VENDOR_TOKEN={SECRET}\n")
        (tmp_path / ".env").chmod(0o600)
    try:
        raise KeyError(f"https://example.com/?token={SECRET}")
    except KeyError as error:
        failure = failure_of(error, command="data fetch")
    assert "canary" not in failure.message + failure.kept
    (crash,) = (tmp_path / ".magellan/crash").iterdir()
    assert "KeyError" in crash.read_text() and "canary" not in crash.read_text()
