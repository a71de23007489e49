"""How commands show things: answers on standard output, progress and notes on standard error.

Rich is imported inside the functions, since a command may end without showing anything.
"""

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


def emit(value: object, *, as_json: bool, human: Callable[[], None]) -> None:
    """Show a command's answer: `value` as JSON, or whatever `human` prints."""
    if as_json:
        print_json(value)
    else:
        human()


def print_json(value: object) -> None:
    """Print `value` as one JSON document; see `jsonable` for what becomes of our types."""
    text = json.dumps(jsonable(value), indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(text + "\n")


def jsonable(value: object) -> Any:
    """`value` in terms of JSON.

    Values and pydantic models become objects, instants and dates ISO 8601, durations seconds, Decimal a
    string with every digit, NaN and infinities null (JSON has no word for them, and missing stays missing).
    Raises TypeError for anything whose form would be a guess.
    """
    if isinstance(value, Enum):  # before str and int, which an enumeration may be as well
        return jsonable(value.value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else None
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "model_dump"):
        return jsonable(value.model_dump())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {_key(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((jsonable(item) for item in value), key=repr)
    if hasattr(value, "tolist"):  # NumPy's arrays and scalars, without importing NumPy
        return jsonable(value.tolist())
    raise TypeError(f"no JSON form is agreed for {type(value).__name__}: {value!r}")


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    numbers: Sequence[str] = (),
    footnote: str = "",
) -> None:
    """Print a table; None shows as "-".

    columns: headings, from the left.
    numbers: the headings of the columns to align on the right.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.caption, table.caption_justify = footnote or None, "left"
    for heading in columns:
        table.add_column(heading, justify="right" if heading in numbers else "left")
    for row in rows:
        # As Text, so that a "[" in a name is a bracket and not an instruction to Rich.
        cells = (cell if isinstance(cell, Text) else Text("-" if cell is None else str(cell)) for cell in row)
        table.add_row(*cells)
    console(sys.stdout).print(table)


def say(text: str) -> None:
    """A line of the answer, on standard output."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """A line beside the answer (an assumption, where a file went), on standard error."""
    sys.stderr.write(text + "\n")


class ProgressBars:
    """One bar per phase of long work, on standard error; invisible when that is not a terminal."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def report(self, phase: str, done: float, total: float | None = None) -> None:
        """Set a phase's bar; the first report of a phase adds it.

        done, total: in the same unit (bars, files, parameter sets); total is None while it is not known.
        """
        if phase not in self._tasks:
            self._tasks[phase] = self._progress.add_task(phase, total=total)
        self._progress.update(self._tasks[phase], completed=done, total=total)


@contextmanager
def progress_bars() -> Iterator[ProgressBars]:
    """Show progress while the block runs; hand `bars.report` to the use case."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    stderr = console(sys.stderr)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=stderr,
        disable=not stderr.is_terminal,
    ) as progress:
        yield ProgressBars(progress)


def console(stream: IO[str]) -> "Console":
    """A Rich console on a standard stream: colours, and a width, only where there is a terminal."""
    from rich.console import Console

    # Rich assumes 80 columns where it cannot ask; a file or a pipe has no edge at which to break a table.
    return Console(file=stream, width=None if stream.isatty() else 10_000, highlight=False, markup=False)


def _key(key: object) -> str:
    text = jsonable(key)
    if not isinstance(text, str | int):
        raise TypeError(f"no JSON form is agreed for the key {key!r}")
    return str(text)
