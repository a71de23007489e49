"""The files that a new workspace and a new strategy begin with, as values: nothing here writes any of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from magellan.errors import FixInput
from magellan.workspace.config import StrategyConfig
from magellan.workspace.config_file import json_object
from magellan.workspace.threshold import Kind
from magellan.workspace.workspace import FILE, Stage

_TEMPLATES: Final = Path(__file__).parent / "templates"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")

TIMEFRAMES: Final[Mapping[Kind, str]] = {"intraday": "1Min", "swing": "1Hour", "trend": "1Day"}
"""The bars that each kind of new strategy decides on."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that should be there."""

    path: PurePosixPath  # relative to the workspace, or to the strategy's folder
    content: bytes


def marker_file() -> NewFile:
    """What makes a folder a workspace."""
    return _file(FILE, "any/magellan.toml")


def workspace_files(*, with_sample: bool) -> tuple[NewFile, ...]:
    """What a workspace without any strategy consists of."""
    files = [
        marker_file(),
        _file("README.md", "any/workspace_README.md"),
        _file(".gitignore", "any/gitignore"),
        *(NewFile(PurePosixPath(stage, ".gitkeep"), b"") for stage in Stage),
    ]
    if with_sample:
        files.append(_file("data/README.md", "any/sample_README.md"))
    return tuple(files)


def strategy_files(name: str, kind: Kind, symbols: Sequence[str], path: str) -> tuple[NewFile, ...]:
    """A new strategy's folder, all but its config.schema.json, which its code decides.

    name: lower-case letters, digits and underscores. path: how a person calls the folder from the workspace.
    Raises: FixInput for a name that no strategy can have.
    """
    if _NAME.fullmatch(name) is None:
        raise FixInput(
            f"'{name}' cannot be the name of a strategy",
            next_step="use lower-case letters, digits and underscores, beginning with a letter: opening_gap",
        )
    words = {
        "@NAME@": name,
        "@CLASS@": "".join(part.capitalize() for part in name.split("_")),
        "@TITLE@": " ".join(name.split("_")).strip().capitalize(),
        "@SYMBOLS@": json.dumps(list(symbols)),
        "@PATH@": path,
    }
    return tuple(
        _file(target, template, words)
        for target, template in (
            ("strategy.py", f"{kind}/strategy.py"),
            ("config.json", f"{kind}/config.json"),
            ("tests/test_strategy.py", f"{kind}/test_strategy.py"),
            ("runner.py", "any/runner.py"),
            ("docs/README.md", "any/README.md"),
        )
    )


def reference_strategies() -> tuple[Path, ...]:
    """The folders of the reference strategies: inside the installed package, or in the source tree beside it.

    Raises: FixInput when neither is there, which means that the installation is not whole.
    """
    here = Path(__file__).parent
    for folder in (here / "reference", here.parents[2] / "workspace" / "prod"):
        found = tuple(sorted(path.parent for path in folder.glob("*/strategy.py")))
        if found:
            return found
    raise FixInput("this installation holds no reference strategies", next_step="install magellan again")


def reference_files(folder: Path, symbols_of: Mapping[str, Sequence[str]]) -> tuple[NewFile, ...]:
    """A reference strategy's folder; its config trades other symbols where the sample has some.

    symbols_of: by timeframe, the symbols to put in place of the config's; empty leaves the config as it is.
    """
    files = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in name.parts):
            content = path.read_bytes()
            if name.as_posix() == "config.json":
                content = with_symbols(content.decode(), symbols_of, name=str(path)).encode()
            files.append(NewFile(PurePosixPath(name.as_posix()), content))
    return tuple(files)


def with_symbols(text: str, symbols_of: Mapping[str, Sequence[str]], *, name: str) -> str:
    """A config's text with other symbols, each with the parameters of the one in whose place it stands."""
    document = json_object(text, name=name)
    timeframe = document.get("data", {}).get(
        "timeframe", StrategyConfig.model_fields["data"].default.timeframe
    )
    symbols = list(symbols_of.get(timeframe, ()))
    if not symbols:
        return text
    before = document["symbols"]
    document["symbols"] = symbols
    own: dict[str, Any] = document.get("symbol_parameters", {})
    if own:
        places = dict(zip(before, symbols, strict=False))
        document["symbol_parameters"] = {places[each]: own[each] for each in own if each in places}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _file(target: str, template: str, words: Mapping[str, str] | None = None) -> NewFile:
    text = (_TEMPLATES / f"{template}.template").read_text(encoding="utf-8")
    for word, meaning in (words or {}).items():
        text = text.replace(word, meaning)
    return NewFile(PurePosixPath(target), text.encode())
