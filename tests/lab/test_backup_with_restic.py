"""Backups by a real restic: what comes back is what was there, whatever is killed, damaged or written meanwhile."""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.backup_places import Place, s3_place, ssh_place
from ledger.samples import entry, one_of_every_kind
from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase
from magellan.ledger.entries import AlertRaised, NewEntry
from magellan.surfaces.cli.app import run

pytestmark = pytest.mark.skipif(
    shutil.which("restic") is None, reason="no restic: apt-get install restic (.ci/run does)"
)

PASSPHRASE = "canary-passphrase-7731"
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def destination(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A destination that is ready. To make one takes longer than a backup."""
    folder = tmp_path_factory.mktemp("restic") / "backups"
    subprocess.run(
        ["restic", "--repo", str(folder), "--no-cache", "init"],
        env={**os.environ, "RESTIC_PASSWORD": PASSPHRASE}, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def desk(tmp_path: Path, destination: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a ledger, a strategy, bars and a secret, and a place for its backups."""
    shutil.copytree(destination, tmp_path / "backups")
    root = tmp_path / "trading"
    (root / "prod/bear_trap").mkdir(parents=True)
    (root / "prod/bear_trap/strategy.py").write_text("# a strategy\n")
    (root / "data").mkdir()
    (root / "data/bars.parquet").write_bytes(random.Random(1).randbytes(200_000))
    (root / ".env").write_text("LIVE_KEY=canary-key-5521\n")
    (root / ".env").chmod(0o600)
    (root / "magellan.toml").write_text(f'[backup]\nto = "{tmp_path}/backups"\n')
    monkeypatch.setenv("MAGELLAN_BACKUP_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("MAGELLAN_WORKSPACE", str(root))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MAGELLAN_LEDGER_URL", raising=False)
    write(root, 1)
    return root


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    def called(*words: str) -> tuple[int, str, str]:
        code = run(list(words))
        out, err = capfd.readouterr()
        return code, out, err

    return called


def write(root: Path, times: int) -> None:
    ledger = SqlLedger(SqliteDatabase(root / ".magellan/ledger.sqlite"), clock=lambda: datetime.now(UTC))
    with ledger.writer("PA1") as writer:
        for _ in range(times):
            writer.append(one_of_every_kind())
    ledger.close()


def contents(root: Path) -> dict[str, bytes]:
    """What is a user's own."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".magellan" not in path.parts
    }


def test_everything_but_the_secrets_comes_back_as_it_was_and_over_nothing(
    desk: Path, call: Call, tmp_path: Path
) -> None:
    first = json.loads(call("backup", "create", "--json")[1])
    before = json.loads(call("audit", "verify", "--json")[1])
    assert call("restore", "--into", str(tmp_path / "back"))[0] == 0
    code, _, err = call("restore", "--into", str(tmp_path / "back"))
    assert code == 1 and "overwrites nothing" in err
    ours = contents(desk)
    assert ours.pop(".env")
    assert contents(tmp_path / "back") == ours
    after = json.loads(call("audit", "verify", "--workspace", str(tmp_path / "back"), "--json")[1])
    assert after["PA1"] == before["PA1"]
    assert after["changes"]["sound"]
    shown = json.loads(call("audit", "list", "--workspace", str(tmp_path / "back"), "--json")[1])
    assert [(each["action"], each["result"]) for each in shown["changes"]] == [
        ("backup", "begun"),
        ("restore", "begun"),
        ("restore", "done"),
    ]
    for path in (tmp_path / "back").rglob("*"):
        assert not path.is_file() or b"canary" not in path.read_bytes(), path
    second = json.loads(call("backup", "create", "--json")[1])
    assert first["bytes_added"] > 200_000 > 40_000 > second["bytes_added"], "the second sends what changed"


def test_a_session_that_writes_meanwhile_is_backed_up_as_of_one_instant(desk: Path, call: Call) -> None:
    stops, wrote = threading.Event(), threading.Event()

    def trade() -> None:
        ledger = SqlLedger(SqliteDatabase(desk / ".magellan/ledger.sqlite"), clock=lambda: datetime.now(UTC))
        with ledger.writer("PA2") as writer:
            while not stops.is_set():
                writer.append([entry(AlertRaised(severity="info", text="a bar closed"))] * 5)
                wrote.set()
        ledger.close()

    session = threading.Thread(target=trade)
    session.start()
    wrote.wait()
    try:
        assert call("backup", "create")[0] == 0
        code, out, err = call("drill", "restore", "--no-session", "--json")
    finally:
        stops.set()
        session.join()
    assert code == 0, err
    told = json.loads(out)
    assert told["found"]["ledger"]["PA2"]["number"] % 5 == 0, "of an append all or nothing"
    assert told["entries_behind"] > 0


def test_the_ledger_alone_is_put_over_the_newest_whole_backup(desk: Path, call: Call, tmp_path: Path) -> None:
    assert call("backup", "create")[0] == 0
    write(desk, 2)
    assert call("backup", "create", "--only-ledger")[0] == 0
    told = json.loads(call("drill", "restore", "--no-session", "--json")[1])
    assert told["entries_behind"] == 0
    assert told["changes_behind"] == 0, "the record of the whole backup is in the ledger's"
    assert told["audit_rpo_s"] == 0.0
    assert [each["tags"] for each in told["backups"]] == [["workspace"], ["ledger"]]
    drill = json.loads(call("audit", "show", "changes", "--json")[1])[-1]
    assert (drill["action"], drill["result"]) == ("drill restore", "done")
    told_of = {each.split()[0] for each in drill["evidence"]}
    assert told_of == {
        *("snapshot", "rto_s", "rpo_s", "ledger_rpo_s", "entries_behind", "audit_rpo_s", "changes_behind")
    }
    assert call("restore", "--into", str(tmp_path / "back"))[0] == 0
    assert contents(tmp_path / "back")["prod/bear_trap/strategy.py"] == b"# a strategy\n"


@pytest.fixture
def overheard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in which every call of restic leaves its arguments and its environment."""
    real, heard, folder = shutil.which("restic"), tmp_path / "heard", tmp_path / "bin"
    folder.mkdir()
    (folder / "restic").write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >> {heard}\nexec {real} "$@"\n')
    (folder / "restic").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return heard


@pytest.fixture
def orphans_stay() -> Iterator[None]:
    """Children of a killed child fall to this process, which reaps them when it likes, as a container's first does."""
    adopts = ctypes.CDLL(None, use_errno=True).prctl
    PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
    assert adopts(PR_SET_CHILD_SUBREAPER, 1) == 0
    yield
    assert adopts(PR_SET_CHILD_SUBREAPER, 0) == 0


@pytest.mark.usefixtures("orphans_stay")
def test_a_backup_that_was_killed_leaves_the_next_one_alone(
    desk: Path, call: Call, tmp_path: Path, overheard: Path
) -> None:
    (desk / "data/more.parquet").write_bytes(random.Random(2).randbytes(30_000_000))
    process = subprocess.Popen(
        [sys.executable, "-m", "magellan", "backup", "create"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    locks = tmp_path / "backups/locks"
    while not any(locks.iterdir()) and process.poll() is None:
        time.sleep(0.005)  # until restic is at work: the kill has to meet it in the middle
    restic = _children(process.pid)
    for pid in [process.pid, *restic]:  # the parent first: it would reap the others, and then nobody had to
        os.kill(pid, signal.SIGKILL)
    process.wait()
    assert any(locks.iterdir()), "it left its lock"

    def reap() -> None:
        while overheard.read_text().count(" unlock\n") < 2:
            time.sleep(0.05)
        for pid in restic:
            os.waitpid(pid, 0)

    late = threading.Thread(target=reap)
    late.start()  # until it is reaped the killed one looks alive to the next
    code, _, err = call("backup", "create")
    with overheard.open("a") as heard:
        heard.write(" unlock\n" * 2)  # where nobody asked, the thread has to end all the same
    late.join()
    assert code == 0, err
    told = json.loads(call("audit", "show", "changes", "--json")[1])
    assert [each["result"] for each in told] == ["begun", "failed", "begun", "done"]
    assert "was killed" in told[1]["note"]
    code, _, err = call("backup", "verify")
    assert code == 0, err


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in found.split()]


def test_a_host_that_is_lost_takes_less_than_a_second_of_its_ledger_with_it(
    desk: Path, call: Call, tmp_path: Path
) -> None:
    trail = tmp_path / "elsewhere" / "ledger.trail"
    (desk / "magellan.toml").write_text(f'[backup]\nto = "{tmp_path}/backups"\nfollow_to = "{trail}"\n')
    assert call("backup", "create")[0] == 0
    follower = subprocess.Popen(
        [sys.executable, "-m", "magellan", "backup", "follow"], stderr=subprocess.DEVNULL
    )
    try:
        while not trail.exists():
            assert follower.poll() is None
            time.sleep(0.01)
        ledger = SqlLedger(SqliteDatabase(desk / ".magellan/ledger.sqlite"), clock=lambda: datetime.now(UTC))
        written_s = []
        with ledger.writer("PA1") as writer:
            for number in range(40):
                alert = AlertRaised(severity="info", text=str(number))
                writer.append([NewEntry(at=datetime.now(UTC), session="s-1", payload=alert)])
                written_s.append(time.monotonic())
                time.sleep(0.05)
        ledger.close()
    finally:
        follower.kill()
        follower.wait()
    code, told, err = call("drill", "restore", "--no-session", "--json")
    assert code == 0, err
    found = json.loads(told)
    assert found["from_trail"] > 20
    behind = found["entries_behind"]
    lost_s = written_s[-1] - written_s[-behind] if behind else 0.0
    assert lost_s <= 1.0, (lost_s, behind)
    assert found["rto_s"] <= 60.0, found
    # On a host that has nothing, with the passphrase alone.
    bare = ["--from", f"{tmp_path}/backups", "--into", str(tmp_path / "back")]
    assert call("restore", *bare)[0] == 0
    back = json.loads(call("audit", "verify", "--workspace", str(tmp_path / "back"), "--json")[1])
    assert back["PA1"]["sound"]
    assert back["PA1"]["entries"] == found["found"]["ledger"]["PA1"]["number"]


def test_a_drill_goes_on_until_a_session_of_what_was_restored_is_reconciled_on_paper(
    desk: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(desk / "prod/bear_trap")
    assert call("new", "strategy", "moods", "--symbols", "COCKLE")[0] == 0
    (desk / "dev/moods").rename(desk / "prod/moods")
    # What is meant for the workspace's own sessions reaches none of the drill's: it would refuse to trade on paper.
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("ALPACA_PAPER", "false")
    assert call("backup", "create")[0] == 0
    code, out, err = call("drill", "restore", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["session"]["strategy"] == "prod/moods"
    assert told["session"]["took_s"] < told["rto_s"] <= 60.0
    drill = json.loads(call("audit", "show", "changes", "--json")[1])[-1]
    assert "reconciled on paper" in drill["note"]
    assert "session_s" in {each.split()[0] for each in drill["evidence"]}
    assert told["changes_behind"] == 1, "the backup's own record, which is written after it"
    assert 0.0 < told["audit_rpo_s"] < 60.0

    (desk / "prod/moods/strategy.py").write_text(
        "raise RuntimeError('it reads a file that is in no backup')\n"
    )
    assert call("backup", "create")[0] == 0
    code, _, err = call("drill", "restore")
    assert code == 1 and "in no backup" in err
    assert json.loads(call("audit", "show", "changes", "--json")[1])[-1]["result"] == "failed"


def test_a_damaged_backup_is_found_by_the_check_and_recorded_by_the_drill(desk: Path, call: Call) -> None:
    assert call("backup", "create")[0] == 0
    packs = [path for path in (desk.parent / "backups/data").rglob("*") if path.is_file()]
    largest = max(packs, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.chmod(0o600)
    largest.write_bytes(content)
    code, _, err = call("backup", "verify")
    assert code == 1 and "restic check failed" in err
    code, _, err = call("drill", "restore", "--no-session")
    assert code == 1
    shown = json.loads(call("audit", "show", "changes", "--json")[1])
    assert (shown[-1]["action"], shown[-1]["result"]) == ("drill restore", "failed")


def test_a_restore_that_was_killed_leaves_nothing_and_is_gone_on_with(
    desk: Path, call: Call, tmp_path: Path
) -> None:
    assert call("backup", "create")[0] == 0
    into = tmp_path / "back"
    command = [sys.executable, "-m", "magellan", "restore", "--into", str(into)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journals = tmp_path / ".back.restore-journals"
    while not (tmp_path / ".back.restoring").exists() and process.poll() is None:
        time.sleep(0.005)  # until it is at work: the kill has to meet it in the middle
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not into.exists()
    assert list(journals.glob("*.journal")), "it was begun"
    code, _, err = call("restore", "--into", str(into), "--resume")
    assert code == 0, err
    assert not (tmp_path / ".back.restoring").exists()
    assert call("audit", "verify", "--workspace", str(into))[0] == 0


def test_the_passphrase_is_in_no_argument_log_or_file(
    desk: Path, call: Call, overheard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAGELLAN_BACKUP_PASSPHRASE")
    with (desk / ".env").open("a") as file:
        file.write(f"MAGELLAN_BACKUP_PASSPHRASE={PASSPHRASE}\n")
    told = call("backup", "create")
    assert told[0] == 0
    assert "--repo" in overheard.read_text()
    for path in [
        overheard,
        *(path for path in desk.parent.rglob("*") if path.is_file() and path.name != ".env"),
    ]:
        assert b"canary" not in path.read_bytes(), path
    assert "canary" not in "".join(map(str, told))


def test_another_passphrase_opens_nothing_and_is_told_so(
    desk: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAGELLAN_BACKUP_PASSPHRASE", "another canary")
    code, _, err = call("backup", "list")
    assert code == 1 and "the passphrase does not open" in err and "canary" not in err


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """S3 over loopback."""
    with s3_place() as place:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        yield place.to


def test_backups_go_to_s3_and_come_back_on_a_host_that_has_nothing(
    desk: Path, call: Call, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk / "magellan.toml").write_text(f'[backup]\nto = "{bucket}"\n')
    assert call("backup", "create")[0] == 0
    monkeypatch.delenv("MAGELLAN_WORKSPACE")
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(desk)
    code, _, err = call("restore", "--from", bucket, "--into", str(desk))
    assert code == 0, err
    assert contents(desk)["prod/bear_trap/strategy.py"] == b"# a strategy\n"


@pytest.fixture
def ssh_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An SSH host over loopback that lets this user in by a key."""
    if shutil.which("ssh") is None or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin") is None:
        pytest.skip("no sshd: apt-get install openssh-server (.ci/run does)")
    with ssh_place(tmp_path) as place:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        yield place


@pytest.mark.skipif(
    os.name != "posix" or os.getuid() != 0, reason="sshd of a user of its own needs root here"
)
def test_backups_go_to_an_ssh_host_and_one_that_is_away_is_told_so(
    desk: Path, call: Call, ssh_host: Place
) -> None:
    (desk / "magellan.toml").write_text(f'[backup]\nto = "{ssh_host.to}"\n')
    assert call("backup", "create")[0] == 0
    assert [each["tags"] for each in json.loads(call("backup", "list", "--json")[1])] == [["workspace"]]
    ssh_host.cut()
    code, _, err = call("backup", "list")
    assert code == 1 and "cannot be reached" in err
