"""The `secrets` commands as a person types them. No answer holds a value."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.samples import one_of_every_kind
from magellan.adapters.env_file import EnvFile
from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase
from magellan.surfaces.cli.app import run

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "magellan.toml").write_text(
        '[secrets]\nalso = ["DATA_VENDOR_KEY"]\n[accounts.paper]\nkind = "paper"\nnumber = "PA3XYZ"\n'
    )
    (tmp_path / ".env").write_text(
        "DATA_VENDOR_KEY=canary-vendor\nALPACA_API_KEY=canary-id\nALPACA_API_SECRET=canary-secret\n"
    )
    (tmp_path / ".env").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    for name in (
        "MAGELLAN_WORKSPACE",
        "MAGELLAN_LEDGER_URL",
        "ALPACA_API_KEY",
        "ALPACA_API_SECRET",
        "APCA_API_KEY_ID",
    ):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def call(desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    def called(*words: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = run(["secrets", *words])
        out, err = capsys.readouterr()
        assert "canary" not in out + err
        return code, out, err

    return called


def kept(desk: Path, name: str) -> str | None:
    found = EnvFile(desk / ".env").secret(name)
    return None if found is None else found.get_secret_value()


def test_every_secret_is_listed_with_its_place_and_age_and_without_its_value(desk: Path, call: Call) -> None:
    code, out, _ = call("list", "--json")
    assert code == 0
    found = {each["name"]: each for each in json.loads(out)}
    assert set(found) == {"ALPACA_API_KEY", "ALPACA_API_SECRET", "DATA_VENDOR_KEY"}
    assert found["ALPACA_API_KEY"]["used_by"] == "account paper"
    assert found["DATA_VENDOR_KEY"]["place"] == str(desk / ".env")
    assert found["DATA_VENDOR_KEY"]["age_days"] == 0


def test_a_check_ends_with_1_when_a_secret_is_missing(desk: Path, call: Call) -> None:
    assert call("check")[0] == 0
    (desk / ".env").write_text("ALPACA_API_KEY=canary-id\n")
    (desk / ".env").chmod(0o600)
    code, out, _ = call("check")
    assert code == 1
    assert "DATA_VENDOR_KEY is missing" in out and "ALPACA_API_SECRET is missing" in out


def test_a_secret_is_rotated_and_its_end_forgets_the_old_value(desk: Path, call: Call) -> None:
    code, out, _ = call("rotate", "DATA_VENDOR_KEY", "--dry-run", typed="canary-new\n")
    assert code == 0 and "would be done" in out and kept(desk, "DATA_VENDOR_KEY") == "canary-vendor"
    code, out, _ = call("rotate", "DATA_VENDOR_KEY", "--by", "jane", typed="canary-new\n")
    assert code == 0 and "--finish" in out
    assert (kept(desk, "DATA_VENDOR_KEY"), kept(desk, "DATA_VENDOR_KEY__PREVIOUS")) == (
        "canary-new",
        "canary-vendor",
    )
    code, out, _ = call("rotate", "DATA_VENDOR_KEY", "--finish", "--why", "the vendor revoked it")
    assert code == 0 and "revoke them" in out
    assert kept(desk, "DATA_VENDOR_KEY__PREVIOUS") is None
    code, out, _ = call("rotate", "DATA_VENDOR_KEY", "--finish")
    assert code == 0 and "no old values of DATA_VENDOR_KEY are kept in" in out and "revoke" not in out
    for path in (desk / ".magellan").rglob("*"):
        assert not path.is_file() or b"canary" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("words", "typed", "told"),
    [
        (["NO_SUCH_KEY"], "canary\n", "magellan.toml names no secret NO_SUCH_KEY"),
        (["DATA_VENDOR_KEY"], "", "there is no new value of DATA_VENDOR_KEY"),
        (["ALPACA_API_KEY"], "canary\n", "opens with ALPACA_API_KEY and ALPACA_API_SECRET together"),
        (["DATA_VENDOR_KEY", "ALPACA_API_KEY", "ALPACA_API_SECRET"], "", "belong to different things"),
        (["DATA_VENDOR_KEY", "--resume"], "canary\n", "is unfinished"),
    ],
)
def test_a_rotation_that_cannot_be_is_refused_and_changes_nothing(
    desk: Path, call: Call, words: list[str], typed: str, told: str
) -> None:
    before = (desk / ".env").read_text()
    code, _, err = call("rotate", *words, typed=typed)
    assert code == 1 and told in err
    assert (desk / ".env").read_text() == before


def test_what_is_set_in_the_environment_is_changed_where_it_is_set(
    desk: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_VENDOR_KEY", "canary-of-the-shell")
    code, _, err = call("rotate", "DATA_VENDOR_KEY", typed="canary-new\n")
    assert code == 1 and "is in the environment, which this process cannot change" in err


def test_the_old_pair_is_not_forgotten_while_a_session_runs_that_began_with_it(
    desk: Path, call: Call
) -> None:
    call("list")  # from now on the values are known
    began = datetime.now(UTC) - timedelta(hours=1)
    ledger = SqlLedger(SqliteDatabase(desk / ".magellan/ledger.sqlite"), clock=lambda: began)
    with ledger.writer("alpaca-paper-PA3XYZ") as writer:
        writer.append(one_of_every_kind())
        code, _, err = call("rotate", "ALPACA_API_KEY", "ALPACA_API_SECRET", "--finish")
        assert code == 1 and "trades alpaca-paper-PA3XYZ with the old ALPACA_API_KEY" in err
    ledger.close()
    assert call("rotate", "ALPACA_API_KEY", "ALPACA_API_SECRET", "--finish")[0] == 0
