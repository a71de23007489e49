"""Setting up: what `make demo` and `make test` do before anything else."""

import importlib.util
import shutil
import stat
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from magellan.usecases.doctor import PYTHON_MAX, PYTHON_MIN

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> ModuleType:
    """tools/environment.py in a checkout of its own, whose .venv has a Python that agrees to everything."""
    checkout = tmp_path / "checkout"
    for name in ("tools/environment.py", "requirements/run.lock", "requirements/dev.lock", "pyproject.toml"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    program(checkout / ".venv/bin/python", "exit 0")
    (checkout / ".bootstrap").mkdir()
    spec = importlib.util.spec_from_file_location("environment", checkout / "tools/environment.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.DEBIAN_WHEELS = tmp_path / "no-wheels-here"  # type: ignore[attr-defined]
    return module


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def installed(environment: ModuleType, name: str) -> None:
    environment.stamp(name).write_text(environment.wanted(name))


def test_whoever_names_the_pythons_that_we_support_names_the_same(environment: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = f"{PYTHON_MIN[0]}.{PYTHON_MIN[1]} to {PYTHON_MAX[0]}.{PYTHON_MAX[1]}"
    assert (environment.OLDEST, environment.NEWEST) == (PYTHON_MIN, PYTHON_MAX)
    assert project["requires-python"] == f">=3.{PYTHON_MIN[1]},<3.{PYTHON_MAX[1] + 1}"
    assert [
        each for each in project["classifiers"] if each.startswith("Programming Language :: Python :: 3.")
    ] == [f"Programming Language :: Python :: 3.{minor}" for minor in range(PYTHON_MIN[1], PYTHON_MAX[1] + 1)]
    for document in ("README.md", "docs/guides/getting-started.md", "docs/guides/workspace.md", "Makefile"):
        assert said in (ROOT / document).read_text(), document


def test_a_fresh_checkout_has_to_be_set_up(environment: ModuleType) -> None:
    assert not environment.is_current("run")
    assert not environment.is_current("dev")


def test_what_was_set_up_is_not_set_up_again(environment: ModuleType) -> None:
    installed(environment, "dev")
    assert environment.is_current("dev")


def test_the_demo_is_content_with_what_the_tests_installed_but_not_the_other_way_round(
    environment: ModuleType,
) -> None:
    installed(environment, "run")
    assert environment.is_current("run") and not environment.is_current("dev")
    environment.stamp("run").unlink()
    installed(environment, "dev")
    assert environment.is_current("run")


@pytest.mark.parametrize("changed", ["requirements/dev.lock", "pyproject.toml"])
def test_a_changed_lock_or_project_is_set_up_again(environment: ModuleType, changed: str) -> None:
    installed(environment, "dev")
    with (environment.ROOT / changed).open("a") as file:
        file.write("# changed\n")
    assert not environment.is_current("dev")


def test_an_environment_whose_python_is_gone_is_made_again(environment: ModuleType) -> None:
    installed(environment, "dev")
    environment.VENV_PYTHON.unlink()
    assert not environment.is_current("dev")
    assert not environment.is_usable()


@pytest.fixture
def debian(environment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian's apt-get and dpkg-deb. Fresh package lists know the package, the system's own do not."""
    path = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")
    program(
        path / "apt-get",
        'echo "$*" >> calls.txt\n'
        'case "$*" in\n'
        "  *Lists=*update) exit 0 ;;\n"
        "  *Lists=*download*) touch python3-pip-whl_1.2_all.deb ;;\n"
        "  *) exit 100 ;;\n"
        "esac",
    )
    program(
        path / "dpkg-deb",
        'wheels="$3/usr/share/python-wheels"; mkdir -p "$wheels"; touch "$wheels/pip-1.2-py3-none-any.whl"',
    )
    return path


def test_without_pip_debians_own_package_of_it_is_unpacked(environment: ModuleType, debian: Path) -> None:
    wheel = environment.pip_wheel()
    assert wheel.is_file()
    assert wheel.is_relative_to(environment.BOOTSTRAP)


def test_the_systems_package_lists_are_asked_before_any_are_fetched(
    environment: ModuleType, debian: Path
) -> None:
    environment.pip_wheel()
    calls = [*(environment.BOOTSTRAP / "calls.txt").read_text().splitlines()]
    assert calls[0] == "download python3-pip-whl"


def test_a_wheel_that_the_system_has_is_used_as_it_is(environment: ModuleType, debian: Path) -> None:
    environment.DEBIAN_WHEELS.mkdir()
    wheel = environment.DEBIAN_WHEELS / "pip-23.0.1-py3-none-any.whl"
    wheel.touch()
    assert environment.pip_wheel() == wheel


def test_when_apt_cannot_help_the_message_names_the_package(environment: ModuleType, debian: Path) -> None:
    program(debian / "apt-get", "exit 100")
    with pytest.raises(SystemExit, match="apt-get install python3-venv"):
        environment.pip_wheel()
