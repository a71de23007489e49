"""The workspace's .env: read only where its owner alone can read it, and never quoted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from magellan.adapters.env_file import EnvFile
from magellan.adapters.environment_secrets import EnvironmentSecrets
from magellan.errors import FixInput
from rights import MAY_EVERYTHING

CANARY = "canary-7f3a-do-not-print"


def env_file(folder: Path, text: str | bytes, mode: int = 0o600) -> EnvFile:
    path = folder / ".env"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return EnvFile(path)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("KEY=abc", "abc"),
        ("export KEY=abc", "abc"),
        ("  KEY = abc  ", "abc"),
        ("KEY='a b # c'", "a b # c"),
        ('KEY="a b"  # why', "a b"),
        ("KEY=abc # why", "abc"),
        ("KEY=a#b", "a#b"),  # a key may hold a hash
        ("KEY=a+/=b", "a+/=b"),
        ("KEY=$HOME", "$HOME"),  # nothing is expanded
        ("KEY=", None),
        ("KEY=''", None),
        ("OTHER=abc", None),
    ],
)
def test_a_line_gives_a_variable(tmp_path, line, value):
    found = env_file(tmp_path, f"# a comment\n\n{line}\n").secret("KEY")
    assert (found.get_secret_value() if found is not None else None) == value


def test_a_file_that_is_not_there_holds_nothing(tmp_path):
    file = EnvFile(tmp_path / ".env")
    assert file.secret("KEY") is None
    assert file.names() == frozenset()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o777, 0o601])
def test_a_file_that_others_may_touch_is_refused_with_the_command_to_run(tmp_path, mode):
    file = env_file(tmp_path, f"KEY={CANARY}\n", mode)
    with pytest.raises(FixInput) as caught:
        file.secret("KEY")
    assert f"{mode:03o}" in caught.value.message
    assert caught.value.next_step.startswith(f"chmod 600 {tmp_path / '.env'}")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_alone_is_read(tmp_path, mode):
    assert env_file(tmp_path, "KEY=abc\n", mode).secret("KEY") is not None


@pytest.mark.skipif(not MAY_EVERYTHING, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(tmp_path, monkeypatch):
    file = env_file(tmp_path, "KEY=abc\n")
    os.chown(tmp_path / ".env", 12345, -1)
    with pytest.raises(FixInput, match="belongs to user 12345"):
        file.secret("KEY")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"KEY=abc\n{CANARY}\n", "line 2: is not NAME=value"),
        (f"KEY={CANARY} more\n", "line 1: is not NAME=value"),
        (f"KEY='{CANARY}\n", "line 1: is not NAME=value"),
        (f"KEY={CANARY}\nOTHER=1\nKEY=b\n", "line 3: KEY stands there more than once"),
        (b"KEY=" + CANARY.encode() + b"\xff\n", "is not UTF-8"),
    ],
)
def test_a_mistake_is_told_by_its_line_and_never_quoted(tmp_path, text, told):
    with pytest.raises(FixInput, match=told) as caught:
        env_file(tmp_path, text).secret("KEY")
    assert CANARY not in str(caught.value)
    cause = caught.value.__cause__ or (
        None if caught.value.__suppress_context__ else caught.value.__context__
    )
    assert cause is None  # a traceback would show its bytes


def test_a_folder_of_that_name_is_told(tmp_path):
    (tmp_path / ".env").mkdir(mode=0o700)
    with pytest.raises(FixInput, match="cannot be read"):
        EnvFile(tmp_path / ".env").secret("KEY")


def test_no_secret_shows_in_what_is_printed_of_a_provider(tmp_path):
    file = env_file(tmp_path, f"KEY={CANARY}\n")
    shell = EnvironmentSecrets({"KEY": CANARY})
    for provider in (file, shell):
        found = provider.secret("KEY")
        assert found is not None
        assert found.get_secret_value() == CANARY
        assert CANARY not in f"{provider!r} {provider} {found!r} {found} {provider.place}"
