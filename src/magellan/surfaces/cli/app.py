"""The door of the command line: a table of commands, and the one place where a run ends.

How a command looks
-------------------
`magellan data import` is the function `data_import` in `surfaces/cli/data_import.py`, and a row of
`commands.py` that holds its help line and an example; nothing else has to know it. The module is imported
only when its command is called, so that `magellan --help` stays fast whatever a command needs.

    def data_list(
        symbols: Annotated[list[str] | None, typer.Argument(help="Only these symbols.")] = None,
        workspace: WorkspaceOption = None,
        as_json: JsonOption = False,
    ) -> None:
        \"\"\"Show what is in the archive: one row per set of bars.

        Text below the first line is shown by `--help` as well.
        \"\"\"
        catalogue = list_bars(workspace_folder(workspace), symbols)    # a use case does the work
        emit(catalogue, as_json=as_json, human=lambda: print_table(...))

What every command does alike
-----------------------------
- It parses, calls one use case, and shows the answer with `output.py`: the answer goes to standard output
  (with `--json` as one JSON document), all else (progress, notes, errors) to standard error.
- It ends with 0 when done; 1 when refused or failed (`raise typer.Exit(1)` after showing why, or any error of
  `magellan.errors`); 2 for wrong usage (`raise typer.BadParameter(...)`); 130 when interrupted.
- It lets errors pass: `run` below tells a `MagellanError` in plain lines, and writes the traceback of
  anything else to a file. A command that keeps something when stopped raises `Interrupted(..., kept=...)`.
- It never asks a question when standard input is not a terminal, and colours only what a terminal shows.
"""

import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

import magellan
from magellan.errors import Interrupted
from magellan.surfaces.cli.commands import COMMANDS, GROUPS, Command
from magellan.surfaces.cli.failure import failure_of, tell
from magellan.surfaces.cli.standard_streams import make_writable


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line, without the program's name; returns the exit code, and never raises."""
    called = called_command(arguments)
    return carry_out(lambda: _app_with(called), arguments, program="magellan", called=called)


def carry_out(
    app: typer.Typer | Callable[[], typer.Typer], arguments: Sequence[str], *, program: str, called: str = ""
) -> int:
    """Let an app carry out a command line; returns the exit code, and never raises.

    app:    or what makes it, where making it may fail.
    called: the words of the command, for what is told about a failure.
    """
    make_writable()
    as_json = any(argument == "--json" or argument.startswith("--json=") for argument in arguments)
    try:
        root = typer.main.get_command(app if isinstance(app, typer.Typer) else app())
        ended_with = root.main(args=list(arguments), prog_name=program, standalone_mode=False)
        sys.stdout.flush()  # here, where it may fail; not when Python exits
        return int(ended_with or 0)
    # The one broad except: the outermost loop, which records and ends the process. Not only Exception, since
    # the panics of compiled libraries are not among them.
    except BaseException as error:  # noqa: BLE001
        failure = failure_of(error, command=called)
        tell(failure, as_json=as_json)
        return failure.exit_code


def commands() -> tuple[Command, ...]:
    """Every command, in the order of the help text."""
    return tuple(command for panel in COMMANDS.values() for command in panel)


def called_command(arguments: Sequence[str]) -> str:
    """The words of the command that `arguments` call, or "" for none."""
    words = [argument for argument in arguments if not argument.startswith("-")]
    for length in (3, 2, 1):
        candidate = " ".join(words[:length])
        if any(command.words == candidate for command in commands()):
            return candidate
    return ""


def function_of(command: Command) -> Callable[..., None]:
    """Import the command's module and return its function."""
    module = importlib.import_module(f"magellan.surfaces.cli.{command.function_name}")
    function: Callable[..., None] = getattr(module, command.function_name)
    return function


def _app_with(called: str) -> typer.Typer:
    """All commands as Typer needs them for help and parsing; only the called one is imported."""
    app = typer.Typer(name="magellan", add_completion=False, no_args_is_help=True, rich_markup_mode="rich")
    app.callback(epilog="Every command has --help with an example, and --json. Guides: docs/guides/.")(
        _magellan
    )
    groups: dict[str, typer.Typer] = {}
    for word, (panel, line) in GROUPS.items():
        groups[word] = typer.Typer(no_args_is_help=True)
        above, _, name = word.rpartition(" ")
        (groups[above] if above else app).add_typer(
            groups[word], name=name, help=line, rich_help_panel=None if above else panel
        )
    for panel, rows in COMMANDS.items():
        for command in rows:
            group, _, name = command.words.rpartition(" ")
            is_called = command.words == called
            (groups[group] if group else app).command(
                name=name,
                help=None if is_called else command.help,
                epilog=f"Example: {command.example}",
                rich_help_panel=None if group else panel,
            )(interruptible(function_of(command)) if is_called else _not_called)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"magellan {magellan.__version__}")
        raise typer.Exit


def _magellan(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Take trading strategies from a pile of scripts to supervised live trading."""


def _not_called() -> None:
    raise AssertionError("a command ran that `called_command` did not find among the arguments")


def interruptible(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same command; Ctrl-C in it becomes an error that says what was kept."""

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt:
            raise Interrupted(
                "interrupted",
                kept="all that was finished before; a file is replaced whole or not at all",
                next_step="run the same command again",
            ) from None

    return command
