"""The options that commands share, and the workspace that they mean."""

from pathlib import Path
from typing import Annotated, Final

import typer

from magellan.errors import FixInput

WORKSPACE_FILE: Final = "magellan.toml"

JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as one JSON document.")]

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        envvar="MAGELLAN_WORKSPACE",
        metavar="DIR",
        help="The workspace; otherwise the nearest folder, upwards from here, with a magellan.toml.",
        show_envvar=True,
    ),
]


def workspace_folder(given: Path | None) -> Path:
    """The workspace a command works in, as an absolute path.

    given:  what `--workspace` or MAGELLAN_WORKSPACE said, or None to search upwards from the current folder.
    Raises: FixInput when the folder that was given, or every folder searched, has no magellan.toml; and when its
    path is not text.
    """
    if given is not None:
        if not (given / WORKSPACE_FILE).is_file():
            raise FixInput(
                f"{given} is not a workspace: it has no {WORKSPACE_FILE}",
                next_step=f"name another folder, or make one with `magellan init {given}`",
            )
        return _as_text(given.resolve())
    here = Path.cwd()
    found = enclosing_workspace(here)
    if found is None:
        raise FixInput(
            f"no {WORKSPACE_FILE} in {here} or any folder above it",
            next_step="go into a workspace, name it with `--workspace`, or make one with `magellan init`",
        )
    return _as_text(found)


def _as_text(folder: Path) -> Path:
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise FixInput(
            f"the path {folder} is not text in UTF-8, which stored files need",
            next_step="rename the folder, or choose a locale that can write its name (LC_ALL=C.UTF-8)",
        ) from None
    return folder


def enclosing_workspace(folder: Path) -> Path | None:
    """The nearest folder with a magellan.toml, upwards from `folder` and including it."""
    for candidate in (folder, *folder.parents):
        if (candidate / WORKSPACE_FILE).is_file():
            return candidate
    return None
