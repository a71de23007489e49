"""Environments of a host: made once for each list of dependencies, every wheel held against its hash, offline."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from magellan.adapters.local.environments import MadeEnvironments, ThisEnvironment, environment_of
from magellan.errors import AskOperator

WHEEL = "answer-1.0-py3-none-any.whl"


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("answer.py", "VALUE = 42\n")
        wheel.writestr("answer-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: answer\nVersion: 1.0\n")
        wheel.writestr(
            "answer-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("answer-1.0.dist-info/RECORD", "answer.py,,\nanswer-1.0.dist-info/RECORD,,\n")
    return folder


def listed(wheelhouse: Path, digest: str = "") -> bytes:
    digest = digest or hashlib.sha256((wheelhouse / WHEEL).read_bytes()).hexdigest()
    return f"answer==1.0 \\\n    --hash=sha256:{digest}\n".encode()


def made_in(folder: Path, wheelhouse: Path) -> MadeEnvironments:
    return MadeEnvironments(folder, base=sys.executable, wheelhouse=wheelhouse)


def python_without(modules: Sequence[str], folder: Path) -> str:
    """A Python that has none of these modules, as Debian's has no ensurepip."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({modules!r}))\n")
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec {sys.executable} "$@"\n')
    program.chmod(0o755)
    return str(program)


@pytest.fixture(params=["uv", "pip", "pip of another environment"])
def base(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What environments are made with: uv where the host has it."""
    here = f"{Path(sys.executable).parent}:" if request.param == "uv" else ""
    monkeypatch.setenv("PATH", f"{here}/usr/bin:/bin")
    if request.param == "uv" and shutil.which("uv") is None:
        pytest.skip("uv is not installed beside this interpreter")
    if request.param == "pip" and importlib.util.find_spec("ensurepip") is None:
        pytest.skip("this Python comes without ensurepip")
    return (
        sys.executable if request.param in ("uv", "pip") else python_without(["ensurepip"], tmp_path / "base")
    )


def test_a_list_of_dependencies_becomes_an_environment_once(
    tmp_path: Path, wheelhouse: Path, base: str
) -> None:
    requirements = listed(wheelhouse)
    environments = MadeEnvironments(tmp_path / "made", base=base, wheelhouse=wheelhouse)
    half = environment_of(tmp_path / "made", requirements)
    half.mkdir(parents=True)
    (half / "left").write_text("by a process that was killed")
    python = environments.make(requirements)
    told = subprocess.run(
        [python, "-c", "import answer; print(answer.VALUE)"], capture_output=True, check=True
    )
    assert told.stdout == b"42\n"
    assert not (half / "left").exists()
    (wheelhouse / WHEEL).unlink()
    assert environments.lacks(requirements) == ()
    assert environments.make(requirements) == python


def test_a_wheel_with_other_bytes_than_were_listed_is_not_installed(
    tmp_path: Path, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    environments = made_in(tmp_path / "made", wheelhouse)
    with pytest.raises(AskOperator, match="cannot be made here"):
        environments.make(listed(wheelhouse, "0" * 64))
    assert not (environment_of(tmp_path / "made", listed(wheelhouse, "0" * 64)) / "whole").exists()


def test_what_a_host_lacks_is_said_before_anything_is_made(tmp_path: Path, wheelhouse: Path) -> None:
    nobody = MadeEnvironments(tmp_path / "made", base="no-such-python", wheelhouse=None)
    assert nobody.lacks(b"") == ("there is no no-such-python to make an environment with",)
    empty = MadeEnvironments(tmp_path / "made", base=sys.executable, wheelhouse=tmp_path / "nowhere")
    assert "with wheels" in empty.lacks(b"")[0]


def test_a_python_without_pip_is_told_with_what_to_install(
    tmp_path: Path, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    base = python_without(["ensurepip", "pip"], tmp_path / "base")
    environments = MadeEnvironments(tmp_path / "made", base=base, wheelhouse=wheelhouse)
    (lacking,) = environments.lacks(listed(wheelhouse))
    assert "comes without pip" in lacking and "python3-venv" in lacking
    with pytest.raises(AskOperator, match="comes without pip") as raised:
        environments.make(listed(wheelhouse))
    assert "python3-venv" in raised.value.next_step
    assert not environment_of(tmp_path / "made", listed(wheelhouse)).exists()


def test_an_environment_that_somebody_keeps_is_held_against_the_list() -> None:
    assert ThisEnvironment().lacks(b"# a comment\npytest>=1\nother==1 ; python_version < '3'\n") == ()
    (lacking,) = ThisEnvironment().lacks(b"pytest==0.0.1\n")
    assert lacking.startswith("pytest is ")
