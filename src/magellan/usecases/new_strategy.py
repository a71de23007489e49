"""New strategy: a folder with a strategy that works, from its first minute, and the schema of its config."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.trading.timeframe import Timeframe
from magellan.usecases.load_strategy import load_strategy, read_code, run_code, strategy_class
from magellan.workspace.config_file import config_schema
from magellan.workspace.new_files import TIMEFRAMES, strategy_files
from magellan.workspace.threshold import Kind
from magellan.workspace.workspace import Stage, StrategyFolder, Workspace

WriteFile = Callable[[Path, bytes], None]  # whole, or not at all
_SYMBOLS_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStrategy:
    """What was written."""

    folder: StrategyFolder
    kind: Kind
    symbols: tuple[str, ...]
    files: tuple[Path, ...]


def new_strategy(
    name: str,
    *,
    workspace: Workspace,
    archive: BarArchive,
    write: WriteFile,
    kind: Kind = "trend",
    stage: Stage = Stage.DEV,
    symbols: Sequence[str] = (),
) -> NewStrategy:
    """Write a strategy's folder.

    symbols: to trade; none takes those that the archive holds bars of, in the kind's timeframe: real ones if
             there are any.
    Raises:  FixInput for a name that cannot be one or is taken, and when there are no symbols to choose from.
    """
    path = workspace.root / stage / name
    for taken in workspace.strategies():
        if taken.name == name:
            raise FixInput(
                f"a strategy called '{name}' exists already: {taken.label}", next_step="choose another name"
            )
    if path.exists():
        raise FixInput(f"{path} exists already", next_step="choose another name, or move that folder away")
    chosen = tuple(symbols) or archived_symbols(archive, TIMEFRAMES[kind])
    files = strategy_files(name, kind, chosen, f"{stage}/{name}")
    folder = StrategyFolder(path=path, stage=stage)
    written = []
    for file in files:
        write(path / file.path, file.content)
        written.append(path / file.path)
    written.append(write_schema(folder, write=write))
    load_strategy(folder)
    return NewStrategy(folder=folder, kind=kind, symbols=chosen, files=tuple(written))


def archived_symbols(archive: BarArchive, timeframe: str) -> tuple[str, ...]:
    """The first few symbols that the archive holds bars of; generated ones only where there are no others.

    Raises FixInput when there is none.
    """
    wanted = Timeframe.parse(timeframe)
    held = [record for record in archive.sets() if record.id.timeframe == wanted]
    real = [record for record in held if not record.generated]
    found = dict.fromkeys(record.id.symbol for record in real or held)
    if not found:
        raise FixInput(
            f"the archive holds no {timeframe} bars to choose symbols from",
            next_step="name symbols with --symbols, or import or fetch bars first",
        )
    return tuple(found)[:_SYMBOLS_MAX]


def write_schema(folder: StrategyFolder, *, write: WriteFile) -> Path:
    """Write config.schema.json from the strategy's own parameters; returns where.

    The config itself may be broken: the schema is what helps to mend it.
    Raises: FixInput for a strategy whose code is broken.
    """
    write(folder.schema_file, schema_text(folder).encode())
    return folder.schema_file


def schema_text(folder: StrategyFolder) -> str:
    """What config.schema.json should hold."""
    code = read_code(folder.strategy_file)
    kind = strategy_class(run_code(code, folder.strategy_file), folder.strategy_file)
    return json.dumps(config_schema(kind.Parameters), indent=2, ensure_ascii=False) + "\n"
