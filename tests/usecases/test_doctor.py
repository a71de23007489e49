"""Doctor: every check can say that something is wrong, and what to do about it."""

import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from packaging.requirements import Requirement

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.local.this_machine import this_machine
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.errors import AskOperator, FixInput
from magellan.ports.machine import Machine
from magellan.usecases.doctor import EXTRAS, Checked, Status, doctor
from magellan.workspace.workspace import Workspace

from .conftest import NOW, Desk

INSTALLED = {
    "numpy": "2.10.1",
    "numba": "0.61.0rc1",
    "ruff": "0.11.2",
    "mypy": "1.15.0",
    "pytest": "8.3.5",
    **dict.fromkeys(EXTRAS.values(), "1.0"),
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(
        now=NOW,
        installed_at=NOW - timedelta(days=3),
        python=(3, 11, 9),
        executable="/usr/bin/python3",
        requirements=("numpy>=2.9", "numba<1,>=0.61", "alpaca-py>=0.43; extra == 'alpaca'"),
        version_of=INSTALLED.get,
        zone_of=ZoneInfo,
        program=lambda name: f"/usr/bin/{name}",
        bytes_free=lambda folder: int(50e9),
        kernel_cache=lambda: tmp_path / "kernels",
        environment_problem="",
    )


def calendar(name: str) -> Any:
    return load_calendar(name, today=NOW.date())


def archive(workspace: Workspace) -> ParquetBarArchive:
    return ParquetBarArchive(workspace.data_folder)


def look(machine: Machine, workspace: Path | None = None, **others: Any) -> dict[str, Checked]:
    sources = {"calendar_of": calendar, "archive_of": archive, **others}
    return {each.name: each for each in doctor(machine, workspace, **sources)}


def with_versions(machine: Machine, changed: Mapping[str, str | None]) -> Machine:
    return replace(machine, version_of=lambda name: {**INSTALLED, **changed}.get(name))


def test_a_sound_machine_and_workspace_have_nothing_to_mend(machine: Machine, desk: Desk) -> None:
    found = look(machine, desk.workspace.root)
    assert {name: each.found for name, each in found.items() if each.status is not Status.OK} == {}
    assert {each.next_step for each in found.values()} == {""}
    assert found["archive"].found == "3 sets, 6,033 bars"
    assert found["dev/riding_moods"].found == "version 0.1.0, 3 symbols, 1Day bars"


def test_outside_of_a_workspace_the_machine_is_still_looked_at(machine: Machine) -> None:
    found = look(machine)
    assert found["workspace"].status is Status.WARN
    assert "magellan init" in found["workspace"].next_step
    assert found["Python"].status is Status.OK


def test_backups_that_are_asked_for_need_restic_and_the_doctor_says_how_to_get_it(
    machine: Machine, desk: Desk
) -> None:
    (desk.workspace.root / "magellan.toml").write_text('[backup]\nto = "/mnt/usb/magellan"\n')
    without = replace(machine, program=lambda name: None)
    found = look(without, desk.workspace.root)["backup"]
    assert found.status is Status.FAIL and "apt install restic" in found.next_step
    assert look(machine, desk.workspace.root)["backup"].found == "to /mnt/usb/magellan, by /usr/bin/restic"


@pytest.mark.parametrize("running", [(3, 10, 14), (3, 15, 0)])
def test_a_python_that_we_do_not_support_fails(machine: Machine, running: tuple[int, int, int]) -> None:
    found = look(replace(machine, python=running))["Python"]
    assert (found.status, found.next_step) == (Status.FAIL, "use Python 3.11 to 3.14")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"numba": None}, "numba is missing"),
        ({"numpy": "2.8.4"}, "numpy 2.8.4 is older than 2.9"),
        ({"numpy": "1.26.4", "numba": None}, "numpy 1.26.4 is older than 2.9; numba is missing"),
    ],
)
def test_a_package_that_is_missing_or_too_old_fails(machine: Machine, changed, told: str) -> None:
    packages = look(with_versions(machine, changed))["packages"]
    assert (packages.status, packages.found) == (Status.FAIL, told)


def test_versions_are_compared_by_number_and_not_by_letter(machine: Machine) -> None:
    assert look(machine)["packages"].status is Status.OK  # 2.10.1 is newer than 2.9


def test_a_package_that_is_not_installed_itself_fails(machine: Machine) -> None:
    assert look(replace(machine, requirements=None))["packages"].status is Status.FAIL


def test_gate_tools_that_are_missing_are_named(machine: Machine) -> None:
    tools = look(with_versions(machine, {"mypy": None, "pytest": None}))["gate tools"]
    assert tools.status is Status.WARN
    assert "mypy, pytest" in tools.found
    assert tools.next_step == "pip install mypy pytest"


def test_an_extra_that_is_missing_is_no_fault(machine: Machine) -> None:
    extras = look(with_versions(machine, {"yfinance": None}))["extras"]
    assert extras.status is Status.OK
    assert extras.found.endswith("only needed where they are used: yahoo")


def test_every_extra_of_the_project_is_looked_at() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    offered = {
        extra: {Requirement(each).name for each in packages}
        for extra, packages in project["optional-dependencies"].items()
    }
    assert EXTRAS.keys() == offered.keys() - {"gates"}  # "gate tools" looks at those
    assert all(package in offered[extra] for extra, package in EXTRAS.items())


def test_a_folder_for_compiled_code_that_cannot_be_written_warns(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kernels = look(replace(machine, kernel_cache=lambda: tmp_path / "file" / "kernels"))["compiled code"]
    assert kernels.status is Status.WARN
    assert "NUMBA_CACHE_DIR" in kernels.next_step


def test_a_clock_from_before_the_installation_fails(machine: Machine) -> None:
    clock = look(replace(machine, now=datetime(1980, 1, 1, tzinfo=UTC)))["clock"]
    assert clock.status is Status.FAIL
    assert "before this program was installed" in clock.found


def test_missing_time_zone_data_fails(machine: Machine) -> None:
    def missing(name: str) -> ZoneInfo:
        return ZoneInfo("Nowhere/At_All")

    assert look(replace(machine, zone_of=missing))["time zones"].next_step.startswith(
        "install the system's tz"
    )


def test_time_zone_data_that_is_wrong_fails(machine: Machine) -> None:
    assert look(replace(machine, zone_of=lambda name: UTC))["time zones"].status is Status.FAIL


def test_a_calendar_that_ends_soon_or_cannot_be_computed_fails(machine: Machine) -> None:
    whole = calendar("XNYS")
    until = (NOW + timedelta(days=10)).date()
    known = whole.session_on <= (until - date(1970, 1, 1)).days
    short = replace(
        whole,
        session_on=whole.session_on[known],
        opens_at_ns=whole.opens_at_ns[known],
        closes_at_ns=whole.closes_at_ns[known],
    )
    assert look(machine, calendar_of=lambda name: short)["exchange calendar"].status is Status.FAIL
    empty = replace(short, session_on=np.zeros(0, np.int32))
    assert look(machine, calendar_of=lambda name: empty)["exchange calendar"].status is Status.FAIL

    def broken(name: str) -> Any:
        raise FixInput("no such calendar", next_step="choose another")

    found = look(machine, calendar_of=broken)["exchange calendar"]
    assert (found.status, found.next_step) == (Status.FAIL, "choose another")


@pytest.mark.parametrize(("free", "status"), [(50e9, Status.OK), (1e9, Status.WARN), (0.1e9, Status.FAIL)])
def test_little_room_on_the_disk_warns_and_almost_none_fails(machine: Machine, free: float, status) -> None:
    assert look(replace(machine, bytes_free=lambda folder: int(free)))["disk"].status is status


def test_contradicting_variables_fail(machine: Machine) -> None:
    problem = "USE_ARCHIVED_DATA is true and ENVIRONMENT is prod"
    environment = look(replace(machine, environment_problem=problem))["environment"]
    assert (environment.status, environment.found) == (Status.FAIL, problem)


def test_a_broken_magellan_toml_fails_and_says_where(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "magellan.toml").write_text("formt = 1\n")
    workspace = look(machine, tmp_path)["workspace"]
    assert workspace.status is Status.FAIL
    assert "did you mean 'format'" in workspace.found


def test_an_empty_archive_warns_and_a_damaged_one_fails(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "magellan.toml").touch()
    assert look(machine, tmp_path)["archive"].status is Status.WARN

    class Damaged:
        def sets(self) -> None:
            raise AskOperator("the catalogue is damaged", next_step="magellan data rebuild")

    found = look(machine, tmp_path, archive_of=lambda workspace: Damaged())["archive"]
    assert (found.status, found.next_step) == (Status.FAIL, "magellan data rebuild")


def test_a_strategy_that_does_not_load_fails_and_stops_no_other(machine: Machine, desk: Desk) -> None:
    shutil.copytree(desk.folder.path, desk.workspace.root / "prod" / "broken")
    found = look(machine, desk.workspace.root)
    assert found["prod/broken"].status is Status.FAIL
    assert "strategy.name is 'riding_moods', but the folder is called 'broken'" in found["prod/broken"].found
    assert found["dev/riding_moods"].status is Status.OK


def test_a_strategy_without_bars_is_named_with_its_symbols(machine: Machine, desk: Desk) -> None:
    desk.config(symbols=["ALPHA", "NOWHERE"], data={"reference_symbols": ["INDEX"]})
    strategy = look(machine, desk.workspace.root)["dev/riding_moods"]
    assert (strategy.status, strategy.found) == (Status.WARN, "no 1Day bars of NOWHERE, INDEX are archived")


def test_a_schema_that_no_longer_fits_the_code_warns(machine: Machine, desk: Desk) -> None:
    desk.code("le=250", "le=300")
    strategy = look(machine, desk.workspace.root)["dev/riding_moods"]
    assert strategy.status is Status.WARN
    assert strategy.next_step == "`magellan new schema riding_moods` writes it again"


def test_this_machine_knows_itself() -> None:
    ours = this_machine(kernel_cache=lambda: Path("kernels"), environment_problem="")
    assert ours.requirements is not None and any(each.startswith("numpy") for each in ours.requirements)
    assert ours.version_of("numpy") == np.__version__
    assert ours.version_of("no-such-package-anywhere") is None
    assert ours.bytes_free(Path.cwd()) > 0
    assert ours.installed_at <= ours.now
