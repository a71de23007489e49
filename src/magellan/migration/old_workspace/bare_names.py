"""Lines that name a strategy's file without its folder. They find nothing, or another file, once it has a new name.

An old runner opens `config.json` in the folder that its unit starts it in, and imports `x_strategy` from a path that it
adds to `sys.path`. What is meant depends on where it is started; so these lines are listed, and a person mends them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from magellan.migration.old_workspace.layout import AWS, OldStrategy


@dataclass(frozen=True, slots=True, kw_only=True)
class BareName:
    """One such line."""

    path: str  # where it lies afterwards
    line: int
    text: str
    now: str  # the path of the file that it means


def bare_names(strategy: OldStrategy, contents: Mapping[str, bytes]) -> Iterator[BareName]:
    """Such lines: in the strategy's own files, and elsewhere where the line names the strategy's new folder.

    contents: what files say afterwards, by the path that they have then; those that could name others.
    """
    home = f"{strategy.stage}/{strategy.name}"
    now = _renamed(strategy, home)
    if not now:
        return
    pattern = _pattern(tuple(now))
    own = {target for source, target in strategy.moves.items() if source not in strategy.doubled}
    names_home = re.compile(rb"(?<![\w.-])" + re.escape(home.encode()) + rb"(?![\w-])")
    for path in sorted(contents):
        for number, line in enumerate(contents[path].splitlines(), start=1):
            found = pattern.search(line)
            if found is None or not (path in own or names_home.search(line)):
                continue
            leaf = next(each for each in found.groups() if each is not None).decode()
            text = line.strip().decode("utf-8", "replace")[:160]
            yield BareName(path=path, line=number, text=text, now=now.get(leaf) or now[f"{leaf}.py"])


def _renamed(strategy: OldStrategy, home: str) -> Mapping[str, str]:
    """Where files with another name below the strategy's folder are now, by the name that they had in the old one."""
    now: dict[str, str] = {}
    for source, target in strategy.moves.items():
        folder = next(each for each in strategy.folders if source.startswith(f"{each}/"))
        inner = source.removeprefix(f"{folder}/").removeprefix(f"{AWS}/")
        is_read = not target.startswith((f"{home}/docs/", f"{home}/deployment/systemd/"))
        if "/" not in inner and is_read and target != f"{home}/{inner}":
            now.setdefault(inner, target)
    return now


def _pattern(leaves: tuple[str, ...]) -> re.Pattern[bytes]:
    files = rb"|".join(re.escape(leaf.encode()) for leaf in leaves)
    modules = rb"|".join(
        re.escape(leaf.removesuffix(".py").encode()) for leaf in leaves if leaf.endswith(".py")
    )
    imported = rb"^\s*(?:from|import)\s+(" + modules + rb")\b(?!\.)" if modules else rb"(?!)"
    return re.compile(rb"(?<![\w./-])(" + files + rb")(?![\w.-])|" + imported)
