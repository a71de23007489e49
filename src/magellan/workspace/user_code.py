"""User code: a trader's own Python, run so that its mistakes are told at its own file and line."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magellan.errors import FixInput, MagellanError


@contextmanager
def user_code(file: Path, doing: str) -> Iterator[None]:
    """Turn whatever the code in `file` raises inside the block into FixInput.

    doing: what it was asked for, for the message: "loading", "computing features of TSLA".
    An error that never passed through `file` is not the trader's, and is let through.
    """
    try:
        yield
    except MagellanError:
        raise
    # The trader's code may raise anything, and `sys.exit()` in it must not end our process in silence.
    except (Exception, SystemExit) as error:
        told = told_at(error, file, doing)
        if told is None:
            raise
        raise told from error


def told_at(error: BaseException, file: Path, doing: str) -> FixInput | None:
    """The error as FixInput naming the line of `file` where it arose; None when it passed no line of it."""
    if isinstance(error, SyntaxError) and error.filename in (str(file), None):
        line, message = error.lineno or 1, error.msg
    else:
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)
        ]
        if not lines or lines[-1] is None:
            return None
        line, message = lines[-1], str(error)
    code = linecache.getline(str(file), line).strip()
    return FixInput(
        f"{file}, line {line}, while {doing}: {type(error).__name__}{f': {message}' if message else ''}",
        next_step=f"mend that line: {code}" if code else "",
    )
