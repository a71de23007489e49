"""How a command's failure is told: what happened, what was kept, what to do. Never a traceback on screen."""

import errno
import json
import os
import sys
import tempfile
import traceback
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from magellan.errors import MagellanError
from magellan.surfaces.cli.options import enclosing_workspace

if TYPE_CHECKING:
    from magellan.ledger.known_secrets import KnownSecrets

# What the operating system refuses for reasons that a person can mend. Anything else it refuses is a
# defect of ours: a missing or unreadable input file is reported where it is opened, as FixInput.
SYSTEM_REFUSALS: Final[dict[int, tuple[str, str]]] = {
    errno.ENOSPC: ("the disk is full", "free some space, then run the same command again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run the same command again"),
    errno.EROFS: ("the file system is read-only", "choose a folder that can be written"),
    errno.EACCES: ("the system denies access", "check who owns the file and its rights"),
    errno.EPERM: ("the system denies access", "check who owns the file and its rights"),
    errno.EMFILE: ("too many files are open at once", "raise the limit with `ulimit -n 4096`"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is told about a command that did not end well."""

    code: str  # for `--json` and documents, e.g. "fix-input"
    message: str  # "" when nobody is left to read it
    kept: str = ""
    next_step: str = ""
    exit_code: int = 1


def failure_of(error: BaseException, *, command: str) -> Failure:
    """What to tell about `error`; writes the traceback to a file when the error is not one that we foresaw.

    command: the words of the command that ran, e.g. "data import"; "" for none.
    """
    if isinstance(error, MagellanError):
        return Failure(
            code=error.code,
            message=error.message,
            kept=error.kept,
            next_step=error.next_step,
            exit_code=error.exit_code,
        )
    if isinstance(error, KeyboardInterrupt):
        return Failure(code="interrupted", message="interrupted", kept="nothing had begun", exit_code=130)
    if isinstance(error, typer.TyperException):
        return Failure(
            code="wrong-usage",
            message=_in_plain_words(error.format_message()),
            next_step=f"see `{_called(error, command)} --help`",
            exit_code=2,
        )
    if isinstance(error, typer.Abort):
        return Failure(code="declined", message="not done, as you chose")
    if isinstance(error, SystemExit):  # Typer's way when the reader of a long answer has left
        return Failure(code="exit", message="", exit_code=error.code if isinstance(error.code, int) else 1)
    if isinstance(error, BrokenPipeError):  # and ours, for an answer short enough to be written at the end
        # The reader (`| head`) has seen enough. Without this, Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Failure(code="reader-left", message="")
    if isinstance(error, OSError) and error.errno in SYSTEM_REFUSALS:
        message, next_step = SYSTEM_REFUSALS[error.errno]
        where = f": {error.filename}" if error.filename else ""
        return Failure(code="system-refusal", message=message + where, next_step=next_step)
    secrets = _known_secrets()
    return Failure(
        code="unexpected",
        message=secrets.hidden_in(f"unexpected {type(error).__name__}: {error}"),
        kept=_keep_traceback(secrets.hidden_in("".join(traceback.format_exception(error)))),
        next_step="this is a defect of Magellan: please report it, with that file",
    )


def tell(failure: Failure, *, as_json: bool) -> None:
    """Write the failure to standard error in plain lines; with `as_json` also to standard output, as JSON."""
    if not failure.message:
        return
    if as_json:
        document = {
            "error": {
                "code": failure.code,
                "message": failure.message,
                "kept": failure.kept,
                "next_step": failure.next_step,
            }
        }
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    # An interruption speaks for itself; everything else is marked as an error.
    lines = [failure.message if failure.exit_code == 130 else f"error: {failure.message}"]
    if failure.kept:
        lines.append(f"kept: {failure.kept}")
    if failure.next_step:
        lines.append(f"next: {failure.next_step}")
    if failure.exit_code == 130 and failure.kept:
        lines[:2] = [f"{failure.message}; kept: {failure.kept}"]
    sys.stderr.write("\n".join(lines) + "\n")


def _in_plain_words(message: str) -> str:
    """Typer's sentence on one line, without the words of the library that it checks values with."""
    message = (
        " ".join(message.split()).replace("Value error, ", "").replace("Input should be ", "it should be ")
    )
    return message.removesuffix(", unable to parse string as a number")


def _called(error: typer.TyperException, command: str) -> str:
    """What was typed before its mistake, as far as it was understood: "magellan data"."""
    context = getattr(error, "ctx", None)
    return context.command_path if context else " ".join(["magellan", *command.split()])


def _known_secrets() -> "KnownSecrets":
    """What the environment and the workspace's .env hold: a library's error may quote an address with a key in it."""
    from magellan.adapters.env_file import EnvFile
    from magellan.ledger.known_secrets import KnownSecrets
    from magellan.settings.keys import named_like_secrets

    known = dict(os.environ)
    workspace = enclosing_workspace(Path.cwd())
    if workspace is not None:
        file = EnvFile(workspace / ".env")
        # One that cannot be read gave this process no secret either.
        with suppress(MagellanError):
            known.update(
                {name: value.get_secret_value() for name in file.names() if (value := file.secret(name))}
            )
    return KnownSecrets(named_like_secrets(known).values())


def _keep_traceback(text: str) -> str:
    """Write the traceback to the first place that takes it; says where, or that it was nowhere."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
    for folder in _crash_folders():
        path = folder / f"{stamp}.txt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Owner-only: an error's text may quote what the user typed.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            continue
        return f"the full traceback, in {path}"
    return "nothing: no folder took the traceback, which ends " + repr(text[-600:])


def _crash_folders() -> tuple[Path, ...]:
    workspace = enclosing_workspace(Path.cwd())
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    ours = (workspace / ".magellan" / "crash",) if workspace else ()
    return (*ours, state / "magellan" / "crash", Path(tempfile.gettempdir()) / f"magellan-{os.getuid()}")
