"""The inventory of secrets, and their rotation: nothing is lost, nothing is half done, nothing shows."""

import asyncio
import itertools
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from magellan.adapters.env_file import EnvFile
from magellan.adapters.environment_secrets import EnvironmentSecrets
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.adapters.local.journal_files import JournalFiles
from magellan.adapters.local.secret_ages import SecretAgeFile
from magellan.errors import FixInput
from magellan.plan.actor import Actor
from magellan.plan.carry_out import Finished, Outcome, TakenBack
from magellan.settings.keys import KEY_SCHEMES
from magellan.usecases.recorded_plan import Records, carry_out_recorded, unfinished
from magellan.usecases.rotate_secrets import SecretChange, forgetting, rotation, rotation_begun
from magellan.usecases.secret_inventory import SecretLine, SecretState, inventory, needed_secrets
from magellan.workspace.workspace import WorkspaceSettings

NOW = datetime(2026, 1, 20, 14, 31, tzinfo=UTC)
SETTINGS = WorkspaceSettings.model_validate(
    {
        "accounts": {
            "paper": {"kind": "paper", "number": "PA3XYZ"},
            "live": {
                "kind": "live",
                "number": "912",
                "keys": {"key_id": "LIVE_KEY", "secret": "LIVE_SECRET"},
            },
            "here": {"kind": "local", "number": "PA1", "address": "http://127.0.0.1:8931"},
        },
        "notifications": {"channels": {"desk": {"kind": "slack", "secret": "SLACK_WEBHOOK_URL"}}},
        "secrets": {"also": ["DATA_VENDOR_PASSWORD"]},
    }
)


def lines_of(variables: Mapping[str, str], folder: Path, *, now: datetime = NOW) -> dict[str, SecretLine]:
    providers = (EnvironmentSecrets(variables), EnvFile(folder / ".env"))
    needed = needed_secrets(
        SETTINGS,
        schemes=KEY_SCHEMES,
        is_known=lambda source, name: any(each.secret(name) is not None for each in providers),
    )
    lines = inventory(needed, SETTINGS, providers, SecretAgeFile(folder / "ages.json"), now=now)
    return {each.name: each for each in lines}


def test_every_secret_that_the_settings_name_is_in_the_inventory_and_a_local_account_has_none(
    tmp_path: Path,
) -> None:
    found = lines_of({}, tmp_path)
    assert set(found) == {
        "ALPACA_API_KEY", "ALPACA_API_SECRET", "LIVE_KEY", "LIVE_SECRET", "SLACK_WEBHOOK_URL",
        "DATA_VENDOR_PASSWORD",
    }  # fmt: skip
    assert {each.state for each in found.values()} == {SecretState.MISSING}


def test_a_pair_that_a_local_account_names_is_there_to_rehearse_with() -> None:
    keys = {"key_id": "REHEARSED_KEY", "secret": "REHEARSED_SECRET"}
    here = {"kind": "local", "number": "PA1", "address": "http://127.0.0.1:8931", "keys": keys}
    settings = WorkspaceSettings.model_validate({"accounts": {"here": here}})
    needed = needed_secrets(settings, schemes=KEY_SCHEMES, is_known=lambda source, name: False)
    assert [each.name for each in needed if each.account == "here"] == ["REHEARSED_KEY", "REHEARSED_SECRET"]


def test_a_pair_is_listed_by_the_names_under_which_it_was_found(tmp_path: Path) -> None:
    found = lines_of({"APCA_API_KEY_ID": "id-of-it", "APCA_API_SECRET_KEY": "secret-of-it"}, tmp_path)
    assert {"APCA_API_KEY_ID", "APCA_API_SECRET_KEY"} <= set(found)
    assert found["APCA_API_KEY_ID"].place == "the environment"


@pytest.mark.parametrize(
    ("name", "days", "state"),
    [
        ("LIVE_KEY", 75, SecretState.WELL),
        ("LIVE_KEY", 77, SecretState.SOON),
        ("LIVE_KEY", 90, SecretState.OVERDUE),
        ("DATA_VENDOR_PASSWORD", 90, SecretState.WELL),
        ("DATA_VENDOR_PASSWORD", 180, SecretState.OVERDUE),
    ],
)
def test_keys_are_due_after_90_days_and_passwords_after_180(
    tmp_path: Path, name: str, days: int, state: SecretState
) -> None:
    lines_of({name: "the value"}, tmp_path)
    assert lines_of({name: "the value"}, tmp_path, now=NOW + timedelta(days=days))[name].state is state
    assert lines_of({name: "another"}, tmp_path, now=NOW + timedelta(days=days))[name].age_days == 0


def test_what_is_remembered_of_a_secret_is_no_help_in_guessing_it(tmp_path: Path) -> None:
    lines_of({"LIVE_KEY": "canary-key-5521"}, tmp_path)
    kept = (tmp_path / "ages.json").read_text()
    assert "canary" not in kept
    assert (tmp_path / "ages.json").stat().st_mode & 0o077 == 0
    other = SecretAgeFile(tmp_path / "other.json")
    assert other.mark(SecretStr("canary-key-5521")) not in kept, "the key of the marks is random"


# -- rotation --------------------------------------------------------------------------------------------------


def records(folder: Path) -> Records:
    ticks = itertools.count()
    return Records(
        journals=JournalFiles(folder / "journals"),
        changes=ChangeLogFiles(folder / "audit"),
        actor=Actor(person="jane", host="desk", pid=os.getpid()),
        clock=lambda: NOW + timedelta(seconds=next(ticks)),
    )


OLD = {"LIVE_KEY": "old canary id", "LIVE_SECRET": "old canary secret"}
NEW = {"LIVE_KEY": "new canary id", "LIVE_SECRET": "new canary secret"}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in OLD.items()))
    (tmp_path / ".env").chmod(0o600)
    return tmp_path


def world_of(folder: Path, new: Mapping[str, str] = NEW, *, opens: bool = True) -> SecretChange:
    async def try_out(values: Mapping[str, SecretStr]) -> None:
        assert {name: each.get_secret_value() for name, each in values.items()} == new
        if not opens:
            raise FixInput("the new pair opens nothing")

    return SecretChange(
        store=EnvFile(folder / ".env"),
        ages=SecretAgeFile(folder / "ages.json"),
        new={name: SecretStr(value) for name, value in new.items()},
        try_out=try_out,
    )


def kept(folder: Path) -> dict[str, str]:
    file = EnvFile(folder / ".env")
    return {name: value.get_secret_value() for name in sorted(file.names()) if (value := file.secret(name))}


def rotated(folder: Path, world: SecretChange) -> Outcome:
    at_work = records(folder)
    change = at_work.change("secrets rotate", "account live", ".env", "due")
    return asyncio.run(carry_out_recorded(rotation(world, used_by="account live"), world, at_work, change))


def test_the_new_pair_is_in_place_at_once_and_the_old_one_beside_it(desk: Path) -> None:
    assert isinstance(rotated(desk, world_of(desk)), Finished)
    assert kept(desk) == {**NEW, **{f"{name}__PREVIOUS": value for name, value in OLD.items()}}
    told = [each.change for each in records(desk).changes.changes()]
    assert [each.result.value for each in told] == ["begun", "done"]
    assert {(each.by.person, each.action, each.subject) for each in told} == {
        ("jane", "secrets rotate", "account live")
    }


def test_a_pair_that_opens_nothing_changes_nothing(desk: Path) -> None:
    outcome = rotated(desk, world_of(desk, opens=False))
    assert isinstance(outcome, TakenBack)
    assert kept(desk) == OLD
    assert [each.change.result.value for each in records(desk).changes.changes()] == ["begun", "taken back"]


def test_a_finished_rotation_forgets_the_old_pair(desk: Path) -> None:
    rotated(desk, world_of(desk))
    world = world_of(desk)
    at_work = records(desk)
    plan = forgetting(world, list(NEW), used_by="account live")
    change = at_work.change("secrets finish", "account live", ".env", "revoked")
    assert isinstance(asyncio.run(carry_out_recorded(plan, world, at_work, change)), Finished)
    assert kept(desk) == NEW


class Killed(BaseException):
    """The process ends here."""


class KilledStore:
    """A place whose process is killed before or after it has changed."""

    def __init__(self, file: EnvFile, *, after: bool) -> None:
        self._file = file
        self._after = after
        self.source, self.place = file.source, file.place

    def secret(self, name: str) -> SecretStr | None:
        return self._file.secret(name)

    def put(self, values: dict[str, SecretStr | None]) -> None:
        if self._after:
            self._file.put(values)
        raise Killed


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("back", [False, True])
def test_a_rotation_that_was_killed_is_gone_on_with_or_taken_back(
    desk: Path, after: bool, back: bool
) -> None:
    world = world_of(desk)
    world.store = KilledStore(EnvFile(desk / ".env"), after=after)
    with pytest.raises(Killed):
        rotated(desk, world)
    assert kept(desk) in (OLD, {**NEW, **{f"{name}__PREVIOUS": value for name, value in OLD.items()}})

    at_work = records(desk)
    name = unfinished(at_work, "secrets/account live")
    again = world_of(desk, {} if back else NEW)
    plan = rotation_begun(at_work.journals.read(name), again, used_by="account live")
    change = at_work.change("secrets rotate", "account live", ".env", "due")
    outcome = asyncio.run(carry_out_recorded(plan, again, at_work, change, journal_name=name, back=back))
    assert isinstance(outcome, TakenBack if back else Finished)
    assert {name: kept(desk)[name] for name in OLD} == (OLD if back else NEW)


def test_a_rotation_is_not_gone_on_with_by_other_values(desk: Path) -> None:
    world = world_of(desk)
    world.store = KilledStore(EnvFile(desk / ".env"), after=False)
    with pytest.raises(Killed):
        rotated(desk, world)
    at_work = records(desk)
    journal = at_work.journals.read(unfinished(at_work, "secrets/account live"))
    with pytest.raises(FixInput, match="another new value of LIVE_KEY"):
        rotation_begun(journal, world_of(desk, {**NEW, "LIVE_KEY": "third"}), used_by="account live")


def test_no_value_of_a_secret_is_in_a_journal_or_in_the_audit_log(desk: Path) -> None:
    rotated(desk, world_of(desk))
    world = world_of(desk)
    assert "canary" not in repr(world)
    for path in desk.rglob("*"):
        if path.is_file() and path.name != ".env":
            assert b"canary" not in path.read_bytes(), path
