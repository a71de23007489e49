"""Places that keep secrets: one contract for the .env, the system's keyring and AWS's Parameter Store."""

import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from pydantic import SecretStr

from magellan.adapters.aws.parameter_store import ParameterStore
from magellan.adapters.env_file import EnvFile
from magellan.adapters.keyring_secrets import KeyringSecrets
from magellan.errors import FixInput
from magellan.ports.secrets import SecretStore
from magellan.settings.keys import KeyState, find_keys
from magellan.workspace.broker_account import BrokerAccount


class FileKeyring(KeyringBackend):
    """A keyring that keeps its passwords in a file, as a machine without a desktop has one."""

    priority = 1  # type: ignore[assignment]

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self.is_locked = False

    def _read(self) -> dict[str, str]:
        if self.is_locked:
            raise KeyringLocked("locked")
        return json.loads(self._file.read_text()) if self._file.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._file.write_text(json.dumps({**self._read(), f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        left = self._read()
        del left[f"{service} {username}"]
        self._file.write_text(json.dumps(left))


@pytest.fixture(scope="module")
def parameter_server() -> Iterator[str]:
    """Parameter Store over loopback."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["env", "keyring", "ssm"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    if request.param == "env":
        return EnvFile(tmp_path / ".env")
    if request.param == "keyring":
        return KeyringSecrets(FileKeyring(tmp_path / "keyring.json"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return ParameterStore("us-east-2", address=request.getfixturevalue("parameter_server"))


def plain(store: SecretStore, name: str) -> str | None:
    found = store.secret(name)
    return None if found is None else found.get_secret_value()


def test_a_secret_is_kept_replaced_and_forgotten(store: SecretStore) -> None:
    name = f"THE_KEY_{os.getpid()}"
    assert store.secret(name) is None
    store.put({name: SecretStr("one #'quoted'"), f"{name}__PREVIOUS": SecretStr("zero")})
    assert plain(store, name) == "one #'quoted'"
    store.put({name: SecretStr("two"), f"{name}__PREVIOUS": None, f"{name}_NEVER": None})
    assert (plain(store, name), plain(store, f"{name}__PREVIOUS")) == ("two", None)
    store.put({name: None})
    assert store.secret(name) is None


@pytest.mark.parametrize("source", ["keyring", "ssm"])
def test_an_account_finds_its_keys_by_its_number(
    source: str, tmp_path: Path, parameter_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    account = BrokerAccount.model_validate({"kind": "paper", "number": "PA3XYZ", "keys": {"source": source}})
    stores: tuple[SecretStore, ...] = (
        EnvFile(tmp_path / ".env"),
        KeyringSecrets(FileKeyring(tmp_path / "keyring.json")),
        ParameterStore("us-east-2", address=parameter_server),
    )
    assert find_keys(account.keys, stores).state is KeyState.NONE
    (chosen,) = (each for each in stores if each.source == source)
    path = "/magellan/alpaca/PA3XYZ"
    chosen.put({f"{path}/API_KEY": SecretStr("the id"), f"{path}/API_SECRET": SecretStr("the secret")})
    found = find_keys(account.keys, stores)
    assert found.pair is not None
    assert (found.pair.key_id.get_secret_value(), found.pair.secret.get_secret_value()) == (
        "the id",
        "the secret",
    )


def test_the_env_file_keeps_every_other_line_and_stays_its_owners(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nexport OTHER_KEY='a b'\n\nTHE_KEY=old # the broker's\n")
    file.chmod(0o600)
    EnvFile(file).put({"THE_KEY": SecretStr("new"), "NEXT_KEY": SecretStr('it"s')})
    assert file.read_text() == "# mine\nexport OTHER_KEY='a b'\n\nTHE_KEY='new'\nNEXT_KEY='it\"s'\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_new_env_file_is_its_owners_alone(tmp_path: Path) -> None:
    EnvFile(tmp_path / ".env").put({"THE_KEY": SecretStr("new")})
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_a_value_that_no_line_can_hold_is_refused_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(FixInput) as refused:
        EnvFile(tmp_path / ".env").put({"THE_KEY": SecretStr("canary'\"7731")})
    assert "canary" not in str(refused.value)
    assert not (tmp_path / ".env").exists()


def test_a_locked_keyring_is_told_without_a_traceback(tmp_path: Path) -> None:
    locked = FileKeyring(tmp_path / "keyring.json")
    locked.is_locked = True
    with pytest.raises(FixInput, match="keyring does not give THE_KEY"):
        KeyringSecrets(locked).secret("THE_KEY")


def test_a_host_without_credentials_is_told_so(
    parameter_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(FixInput, match="cannot be asked"):
        ParameterStore("us-east-2", address=parameter_server).secret("/magellan/alpaca/PA3/API_KEY")
