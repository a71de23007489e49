"""The second copy of the ledger: every entry is in it after a look, and a backup is brought up to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from amazon.cloud import KEYS
from amazon.server import amazon
from contracts.ssh_server import ssh_server
from ledger.samples import BEGAN, entry, one_of_every_kind
from magellan.adapters.aws.client import aws_client
from magellan.adapters.ledger_rows import SqlRows
from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase
from magellan.adapters.trail.place import FilePlace, TrailPlace
from magellan.adapters.trail.s3_place import S3Place
from magellan.adapters.trail.sealed_trail import SealedTrail
from magellan.adapters.trail.sftp_place import SftpPlace
from magellan.errors import AskOperator, FixInput, TryAgain
from magellan.ledger.chain import Sound
from magellan.usecases.follow_ledger import Following, brought_up, follow

ACCOUNT = "PA1"
PASSPHRASE = SecretStr("four words of the test")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = SqlLedger(SqliteDatabase(tmp_path / "ledger.sqlite"), lambda: entry(BEGAN).at)
    yield opened
    opened.close()


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[SqlRows]:
    opened = SqlRows(SqliteDatabase(tmp_path / "ledger.sqlite"))
    yield opened
    opened.close()


@pytest.fixture(params=["a file", "over SFTP", "in S3"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TrailPlace]:
    file = tmp_path / "elsewhere" / "ledger.trail"
    if request.param == "a file":
        yield FilePlace(file)
        return
    if request.param == "in S3":
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        with amazon() as address:
            aws_client("s3", "us-east-1", address=address).create_bucket(Bucket="backups")
            yield S3Place("backups", "ledger.trail", region="us-east-1", address=address)
        return
    file.parent.mkdir()
    with ssh_server(tmp_path) as door:
        settings = tmp_path / "ssh_config"
        settings.write_text(
            f"Host nas\n  HostName 127.0.0.1\n  Port {door.port}\n  IdentityFile {door.key}\n"
            f"  UserKnownHostsFile {door.known_hosts}\n"
        )
        place = SftpPlace("", "nas", str(file), settings=[settings])
        yield place
        place.close()


def write(ledger: SqlLedger, account: str = ACCOUNT) -> None:
    with ledger.writer(account) as writer:
        writer.append(one_of_every_kind())


def followed(
    rows: SqlRows,
    trail: SealedTrail,
    *between: Callable[[], object],
    told: list[tuple[bool, str]] | None = None,
) -> Following:
    """Look once, and again after each of these."""
    left = list(between)

    def pause(seconds: float) -> bool:
        if not left:
            return True
        left.pop(0)()
        return False

    notes = [] if told is None else told
    return follow(rows, trail, pause=pause, tell=lambda reached, why: notes.append((reached, why)))


def test_every_entry_is_in_the_trail_after_the_next_look(
    ledger: SqlLedger, rows: SqlRows, place: TrailPlace
) -> None:
    trail = SealedTrail(place, PASSPHRASE)
    state = followed(rows, trail, lambda: write(ledger), lambda: write(ledger), lambda: write(ledger, "PA2"))
    assert state.sent == ledger.head(ACCOUNT).number + ledger.head("PA2").number
    assert SealedTrail(place, PASSPHRASE).heads() == rows.heads()
    assert b"entries" not in place.read(), "whoever has the file reads nothing"


def test_a_follower_that_was_killed_in_the_middle_of_a_line_sends_it_again(
    ledger: SqlLedger, rows: SqlRows, tmp_path: Path
) -> None:
    file = tmp_path / "ledger.trail"
    write(ledger)
    followed(rows, SealedTrail(FilePlace(file), PASSPHRASE))
    whole = file.read_bytes()
    write(ledger)
    followed(rows, SealedTrail(FilePlace(file), PASSPHRASE))
    torn_at = len(whole) + (len(file.read_bytes()) - len(whole)) // 2
    file.write_bytes(file.read_bytes()[:torn_at])
    followed(rows, SealedTrail(FilePlace(file), PASSPHRASE))
    assert SealedTrail(FilePlace(file), PASSPHRASE).heads() == rows.heads()


def test_a_backup_is_brought_up_to_the_end_of_the_trail_and_its_chain_is_sound(
    ledger: SqlLedger, rows: SqlRows, tmp_path: Path
) -> None:
    trail = SealedTrail(FilePlace(tmp_path / "ledger.trail"), PASSPHRASE)
    older = tmp_path / "older.sqlite"
    write(ledger)
    ledger.close()
    older.write_bytes((tmp_path / "ledger.sqlite").read_bytes())
    write(ledger)
    write(ledger, "PA2")
    followed(rows, trail)
    for backup in (older, tmp_path / "nothing.sqlite"):
        copy = SqlRows(SqliteDatabase(backup))
        before = sum(head.number for head in copy.heads().values())
        added = brought_up(copy, trail)
        assert before + added == sum(head.number for head in rows.heads().values())
        assert brought_up(copy, trail) == 0
        copy.close()
        restored = SqlLedger(SqliteDatabase(backup), lambda: entry(BEGAN).at)
        for account in (ACCOUNT, "PA2"):
            assert restored.verify(account) == Sound(head=ledger.head(account))
        restored.close()


def test_a_place_that_is_away_for_a_while_is_told_and_gets_what_it_missed(
    ledger: SqlLedger, rows: SqlRows, tmp_path: Path
) -> None:
    class Flaky(FilePlace):
        is_away = False

        def append(self, content: bytes) -> None:
            super().append(content)
            if self.is_away:  # it came, and nobody heard that it had
                raise TryAgain("the connection was lost")

    place = Flaky(tmp_path / "ledger.trail")
    told: list[tuple[bool, str]] = []
    followed(
        rows,
        SealedTrail(place, PASSPHRASE),
        lambda: (setattr(place, "is_away", True), write(ledger)),
        lambda: None,
        lambda: (setattr(place, "is_away", False), write(ledger)),
        told=told,
    )
    assert told[0] == (False, "the connection was lost") and told[-1] == (True, "")
    assert SealedTrail(place, PASSPHRASE).heads() == rows.heads()


def test_a_trail_of_another_ledger_or_with_more_than_this_one_is_not_gone_on_with(
    ledger: SqlLedger, rows: SqlRows, tmp_path: Path
) -> None:
    trail = SealedTrail(FilePlace(tmp_path / "ledger.trail"), PASSPHRASE)
    write(ledger)
    followed(rows, trail)
    other = SqlRows(SqliteDatabase(tmp_path / "other.sqlite"))
    with pytest.raises(AskOperator, match="that this ledger does not have"):
        followed(other, trail)
    other.close()


def test_another_passphrase_opens_nothing_and_a_lost_line_is_found(
    ledger: SqlLedger, rows: SqlRows, tmp_path: Path
) -> None:
    file = tmp_path / "ledger.trail"
    write(ledger)
    followed(rows, SealedTrail(FilePlace(file), PASSPHRASE), lambda: write(ledger))
    with pytest.raises(FixInput, match="does not open"):
        SealedTrail(FilePlace(file), SecretStr("another")).heads()
    head, _, *rest = [line for line in file.read_bytes().split(b"\n") if line]
    file.write_bytes(b"\n".join([head, *rest]))
    with pytest.raises(AskOperator, match="lacks entries"):
        SealedTrail(FilePlace(file), PASSPHRASE).heads()
    file.write_bytes(b"a list of groceries\n")
    with pytest.raises(AskOperator, match="no trail"):
        SealedTrail(FilePlace(file), PASSPHRASE).heads()
