"""Doctor: whether this machine and this workspace can do their work, and what to do where they cannot."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import magellan
from magellan.errors import MagellanError
from magellan.ports.bars import BarArchive
from magellan.ports.machine import Machine
from magellan.trading.session import ExchangeCalendar, day_number
from magellan.trading.timeframe import Timeframe
from magellan.usecases.load_strategy import LoadedStrategy, load_strategy
from magellan.usecases.new_strategy import schema_text
from magellan.workspace.workspace import Workspace

PYTHON_MIN, PYTHON_MAX = (3, 11), (3, 14)
GATE_TOOLS: Final = ("ruff", "mypy", "pytest")
EXTRAS: Final = {  # of pyproject.toml, by a package that comes with each; those of gates are looked at by themselves
    "alpaca": "alpaca-py",
    "polygon": "massive",
    "yahoo": "yfinance",
    "robinhood": "mcp",
    "postgres": "psycopg",
    "notify": "apprise",
    "keyring": "keyring",
    "ssh": "asyncssh",
    "aws": "boto3",
    "migrate": "networkx",
    "regime": "xlsxwriter",
    "serve": "fastapi",
    "cluster": "dask",
}
FREE_GB_MIN, FREE_GB_WANTED = 0.2, 2.0


class Status(StrEnum):
    """How one thing stands."""

    OK = "ok"
    WARN = "warn"  # works, and a person should know
    FAIL = "fail"  # something does not work


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One thing that was looked at."""

    name: str
    status: Status
    found: str
    next_step: str = ""  # what to do; "" when nothing needs doing


def doctor(
    machine: Machine,
    workspace: Path | None,
    *,
    calendar_of: Callable[[str], ExchangeCalendar],
    archive_of: Callable[[Workspace], BarArchive],
) -> Iterator[Checked]:
    """Look at everything, one after another; a check that fails stops no other.

    workspace: its folder; None when there is none around.
    """
    yield _python(machine)
    yield _packages(machine)
    yield _gate_tools(machine)
    yield _extras(machine)
    yield _kernels(machine.kernel_cache())
    yield _time_zone(machine)
    yield _clock(machine)
    yield _calendar(machine, calendar_of)
    yield _environment(machine)
    yield _disk(machine, workspace or Path.cwd())
    if workspace is None:
        yield Checked(
            name="workspace",
            status=Status.WARN,
            found="none around this folder",
            next_step="go into one, name it with --workspace, or make one with `magellan init`",
        )
    else:
        yield from _workspace(machine, workspace, archive_of)


def _python(machine: Machine) -> Checked:
    found = f"{'.'.join(map(str, machine.python))} ({machine.executable})"
    if PYTHON_MIN <= machine.python[:2] <= PYTHON_MAX:
        return Checked(name="Python", status=Status.OK, found=found)
    wanted = f"{PYTHON_MIN[0]}.{PYTHON_MIN[1]} to {PYTHON_MAX[0]}.{PYTHON_MAX[1]}"
    return Checked(name="Python", status=Status.FAIL, found=found, next_step=f"use Python {wanted}")


def _packages(machine: Machine) -> Checked:
    """Everything that the installed package says it needs, at least as new as it says."""
    if machine.requirements is None:
        return Checked(
            name="packages",
            status=Status.FAIL,
            found="magellan is not installed, though its code runs",
            next_step="install it into this environment",
        )
    wrong, right = [], []
    for requirement in machine.requirements:
        if "extra ==" in requirement:
            continue
        name, bound = _requirement(requirement)
        installed = machine.version_of(name)
        if installed is None:
            wrong.append(f"{name} is missing")
        elif _numbers(installed) < _numbers(bound):
            wrong.append(f"{name} {installed} is older than {bound}")
        else:
            right.append(f"{name} {installed}")
    if wrong:
        return Checked(
            name="packages",
            status=Status.FAIL,
            found="; ".join(wrong),
            next_step="install magellan again into a fresh environment",
        )
    return Checked(
        name="packages", status=Status.OK, found=f"magellan {magellan.__version__}, {', '.join(right)}"
    )


def _requirement(text: str) -> tuple[str, str]:
    """Name and lowest version of a requirement such as "numpy>=2.1"."""
    name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)
    bound = re.search(r">=\s*([0-9][0-9.]*)", text)
    assert name is not None, f"a requirement begins with a name: {text}"
    return name[0], bound[1] if bound else "0"


def _numbers(text: str) -> tuple[int, ...]:
    """2.10.1rc1 as (2, 10, 1): enough to compare with a lower bound."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", text)[:3])


def _gate_tools(machine: Machine) -> Checked:
    versions = {tool: machine.version_of(tool) for tool in GATE_TOOLS}
    missing = [tool for tool, version in versions.items() if version is None]
    if missing:
        return Checked(
            name="gate tools",
            status=Status.WARN,
            found=f"not installed: {', '.join(missing)}; without them the gates stay shut",
            next_step=f"pip install {' '.join(missing)}",
        )
    found = ", ".join(f"{tool} {version}" for tool, version in versions.items())
    return Checked(name="gate tools", status=Status.OK, found=found)


def _extras(machine: Machine) -> Checked:
    there = [extra for extra, package in EXTRAS.items() if machine.version_of(package) is not None]
    absent = [extra for extra in EXTRAS if extra not in there]
    found = f"installed: {', '.join(there) or 'none'}"
    if absent:
        found += f"; not installed, and only needed where they are used: {', '.join(absent)}"
    return Checked(name="extras", status=Status.OK, found=found)


def _kernels(folder: Path) -> Checked:
    problem = _cannot_write(folder)
    if problem:
        return Checked(
            name="compiled code",
            status=Status.WARN,
            found=f"{folder} cannot be written ({problem}): every run compiles anew, which takes seconds",
            next_step="give this user the right to write there, or set NUMBA_CACHE_DIR to a folder that can be",
        )
    return Checked(name="compiled code", status=Status.OK, found=f"kept in {folder}")


def _cannot_write(folder: Path) -> str:
    """Why nothing can be written in the folder; "" when something can. The folder is made when it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _time_zone(machine: Machine) -> Checked:
    try:
        zone = machine.zone_of("America/New_York")
    except KeyError:
        return Checked(
            name="time zones",
            status=Status.FAIL,
            found="this system has no time zone data",
            next_step="install the system's tzdata package, or the Python package tzdata",
        )
    offsets = [datetime(2025, month, 15, 12, tzinfo=UTC).astimezone(zone).utcoffset() for month in (1, 7)]
    if offsets != [timedelta(hours=-5), timedelta(hours=-4)]:
        return Checked(
            name="time zones",
            status=Status.FAIL,
            found=f"New York lies {offsets[0]} from UTC in winter and {offsets[1]} in summer, which is wrong",
            next_step="install the system's tzdata package anew",
        )
    found = "New York lies 5 hours behind UTC in winter, 4 in summer"
    return Checked(name="time zones", status=Status.OK, found=found)


def _clock(machine: Machine) -> Checked:
    """A clock that stands before the files of this very program were written is wrong."""
    found = f"{machine.now:%Y-%m-%d %H:%M:%S} UTC"
    if machine.now < machine.installed_at - timedelta(days=1):
        return Checked(
            name="clock",
            status=Status.FAIL,
            found=f"{found}, before this program was installed ({machine.installed_at:%Y-%m-%d})",
            next_step="set the system's clock, and let it be kept right (timedatectl set-ntp true)",
        )
    return Checked(name="clock", status=Status.OK, found=found)


def _calendar(machine: Machine, calendar_of: Callable[[str], ExchangeCalendar]) -> Checked:
    try:
        calendar = calendar_of("XNYS")
    except MagellanError as error:
        return Checked(
            name="exchange calendar", status=Status.FAIL, found=error.message, next_step=error.next_step
        )
    ahead = day_number((machine.now + timedelta(days=30)).date())
    if len(calendar.session_on) == 0 or calendar.session_on[-1] < ahead:
        return Checked(
            name="exchange calendar",
            status=Status.FAIL,
            found="XNYS ends in less than a month",
            next_step="update exchange-calendars",
        )
    found = f"XNYS, {len(calendar.session_on):,} sessions"
    return Checked(name="exchange calendar", status=Status.OK, found=found)


def _environment(machine: Machine) -> Checked:
    if machine.environment_problem:
        return Checked(
            name="environment",
            status=Status.FAIL,
            found=machine.environment_problem,
            next_step="correct or unset ENVIRONMENT, ALPACA_PAPER, USE_ARCHIVED_DATA",
        )
    return Checked(name="environment", status=Status.OK, found="its variables do not contradict each other")


def _disk(machine: Machine, folder: Path) -> Checked:
    free_gb = machine.bytes_free(folder) / 1e9
    found = f"{free_gb:.1f} GB free at {folder}"
    if free_gb >= FREE_GB_WANTED:
        return Checked(name="disk", status=Status.OK, found=found)
    status = Status.WARN if free_gb >= FREE_GB_MIN else Status.FAIL
    return Checked(name="disk", status=status, found=found, next_step="free some space before fetching bars")


def _backup(machine: Machine, workspace: Workspace) -> Checked:
    place, name = workspace.settings.backup.to, "backup"
    if place is None:
        return Checked(name=name, status=Status.OK, found="magellan.toml asks for none")
    program = machine.program("restic")
    if program is None:
        return Checked(
            name=name,
            status=Status.FAIL,
            found="restic, which makes the backups, is not installed",
            next_step="`apt install restic`, `dnf install restic` or `brew install restic`",
        )
    return Checked(name=name, status=Status.OK, found=f"to {place}, by {program}")


def _workspace(
    machine: Machine, root: Path, archive_of: Callable[[Workspace], BarArchive]
) -> Iterator[Checked]:
    try:
        workspace = Workspace.at(root)
    except MagellanError as error:
        yield Checked(name="workspace", status=Status.FAIL, found=error.message, next_step=error.next_step)
        return
    problem = _cannot_write(workspace.state_folder)
    strategies = workspace.strategies()
    yield Checked(
        name="workspace",
        status=Status.FAIL if problem else Status.OK,
        found=f"{root} cannot be written: {problem}" if problem else f"{root}, {len(strategies)} strategies",
        next_step="give this user the right to write there" if problem else "",
    )
    yield _backup(machine, workspace)
    held: set[tuple[str, Timeframe]] | None = None
    try:
        sets = archive_of(workspace).sets()
    except MagellanError as error:
        yield Checked(name="archive", status=Status.FAIL, found=error.message, next_step=error.next_step)
    else:
        held = {(record.id.symbol, record.id.timeframe) for record in sets}
        generated = sum(record.generated for record in sets)
        yield Checked(
            name="archive",
            status=Status.OK if sets else Status.WARN,
            found=f"{len(sets)} sets, {sum(record.rows for record in sets):,} bars"
            + (f"; {generated} sets are generated, not history" if generated else ""),
            next_step="" if sets else "fill it with `magellan data import` or `magellan data fetch`",
        )
    for folder in strategies:
        try:
            loaded = load_strategy(folder)
        except MagellanError as error:
            yield Checked(
                name=folder.label, status=Status.FAIL, found=error.message, next_step=error.next_step
            )
        else:
            yield _strategy(loaded, held)


def _strategy(loaded: LoadedStrategy, held: set[tuple[str, Timeframe]] | None) -> Checked:
    """A strategy that loads: are there bars for it, and does its schema fit its code?"""
    folder, config = loaded.folder, loaded.config
    timeframe = Timeframe.parse(config.data.timeframe)
    symbols = (*config.symbols, *config.data.reference_symbols)
    without = [symbol for symbol in symbols if held is not None and (symbol, timeframe) not in held]
    if without:
        return Checked(
            name=folder.label,
            status=Status.WARN,
            found=f"no {timeframe} bars of {', '.join(without)} are archived",
            next_step="import or fetch them, or change `symbols` in its config",
        )
    if not folder.schema_file.is_file() or folder.schema_file.read_text(encoding="utf-8") != schema_text(
        folder
    ):
        return Checked(
            name=folder.label,
            status=Status.WARN,
            found=f"{folder.schema_file.name} does not fit the strategy's parameters: editors will mislead",
            next_step=f"`magellan new schema {folder.name}` writes it again",
        )
    return Checked(
        name=folder.label,
        status=Status.OK,
        found=f"version {config.strategy.version}, {len(config.symbols)} symbols, {timeframe} bars",
    )
