"""Where a project is started from: entry points of its metadata, and commands in units, scripts and containers."""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from magellan.migration.module_names import ModuleNames
from magellan.migration.scan.file_kind import FileKind
from magellan.migration.scan.scanned_file import ScannedFile

_COMMAND: Final = re.compile(
    r"python[\d.]*(?:\s+-[A-Za-ln-z]\S*)*\s+(?:-m\s*(?P<module>[\w.]+)|(?P<path>[\w./\\-]+\.py))"
)
OWN_MAIN: Final = "its own __main__"
_LARGEST: Final = 300_000  # bytes of a text that is searched for commands


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """A place at which the project is started."""

    path: str  # of the Python file
    by: str  # "pyproject.toml: magellan", "deploy/bot.service, line 7", "its own __main__"


def entry_points(
    files: Iterable[ScannedFile], read: Callable[[str], bytes], names: ModuleNames
) -> tuple[EntryPoint, ...]:
    """Every way to start something that could be found, sorted by file."""
    files = tuple(files)
    known = {file.path for file in files}
    found = {EntryPoint(path=file.path, by=OWN_MAIN) for file in files if file.has_main}
    found |= {
        EntryPoint(path=file.path, by="python -m") for file in files if file.path.endswith("__main__.py")
    }
    for file in files:
        leaf = file.path.rpartition("/")[2]
        may_start = file.kind in (FileKind.DEPLOYMENT, FileKind.SCRIPT, FileKind.CONFIG, FileKind.DOC)
        if file.is_python or not may_start or file.size > _LARGEST:
            continue
        text = read(file.path).decode("utf-8", "replace")
        if leaf in ("pyproject.toml", "setup.cfg"):
            for name, dotted in _declared(leaf, text):
                path = names.file_of(dotted)
                if path is not None:
                    found.add(EntryPoint(path=path, by=f"{file.path}: {name}"))
        if file.kind is FileKind.DOC:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            for command in _COMMAND.finditer(line):
                path = _meant(command, file.path, known, names)
                if path is not None:
                    found.add(EntryPoint(path=path, by=f"{file.path}, line {number}"))
    return tuple(sorted(found, key=lambda each: (each.path, each.by)))


def _declared(leaf: str, text: str) -> Iterator[tuple[str, str]]:
    """Names and modules of a project's own metadata."""
    if leaf == "pyproject.toml":
        try:
            project = tomllib.loads(text).get("project", {})
        except tomllib.TOMLDecodeError:
            return
        tables = [project.get("scripts", {}), project.get("gui-scripts", {})]
        tables += list(project.get("entry-points", {}).values())
        for table in tables:
            yield from ((name, str(target).partition(":")[0]) for name, target in dict(table).items())
        return
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return
    if parser.has_section("options.entry_points"):
        for _, value in parser.items("options.entry_points"):
            for line in value.splitlines():
                name, equals, target = line.partition("=")
                if equals:
                    yield name.strip(), target.strip().partition(":")[0]


def _meant(command: re.Match[str], where: str, known: set[str], names: ModuleNames) -> str | None:
    if command["module"] is not None:
        main = names.file_of(f"{command['module']}.__main__")
        return main or names.file_of(command["module"])
    parts = [part for part in command["path"].split("/") if part not in (".", "")]
    beside = where.rpartition("/")[0]
    for at in range(len(parts)):  # "/opt/bot/run.py" on the server is "run.py" here
        tail = "/".join(parts[at:])
        for candidate in (f"{beside}/{tail}" if beside else tail, tail):
            if candidate in known:
                return candidate
    return None
