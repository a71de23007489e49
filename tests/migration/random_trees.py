"""Trees of modules that import each other in every way, and moves for them, all from one seeded source of chance.

Every module knows its own ID, and notes in SEEN whom it met under each import. So whatever moves where, what each
module met is told by IDs, and must not change.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

_SCRIPT = """
import importlib, json, sys
told = {}
for name in json.loads(sys.argv[1]):
    try:
        module = importlib.import_module(name)
        told[module.ID] = module.SEEN
    except Exception as error:
        told[name] = repr(error)
print(json.dumps(told, sort_keys=True))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomTree:
    files: Mapping[str, bytes]
    moves: Mapping[str, str]
    modules: tuple[str, ...]  # dotted names of those that have an ID


def random_tree(seed: int, *, modules: int = 8, tops: int = 2, splits: bool = True) -> RandomTree:
    """tops: how many packages stand side by side. splits: whether one statement may name several modules."""
    chance = Random(seed)
    packages = [f"p{number}" for number in range(tops)]
    for number in range(3):
        packages.append(f"{chance.choice(packages)}.q{number}")
    names: list[str] = []
    for number in range(modules):
        package = chance.choice([*packages, *([""] if tops > 1 else [])])
        names.append(f"{package}.m{number}" if package else f"m{number}")
    files = {f"{package.replace('.', '/')}/__init__.py": "" for package in packages}
    for number, name in enumerate(names):
        earlier = names[:number]
        met = chance.sample(earlier, min(len(earlier), chance.randint(0, 4)))
        files[f"{name.replace('.', '/')}.py"] = _source(name, f"id {number}", met, chance, splits)
    ending = chance.choice(["\n", "\r\n"])
    encoded = {path: text.replace("\n", ending).encode() for path, text in files.items()}
    return RandomTree(files=encoded, moves=_moves(names, packages, chance), modules=tuple(names))


def _source(name: str, own_id: str, met: list[str], chance: Random, splits: bool) -> str:
    lines = [
        f'"""Module {name}, which says {" and ".join(met)}."""',
        "import importlib",
        f"ID = {own_id!r}",
        "SEEN = []",
    ]
    waiting = list(met)
    while waiting:
        other = waiting.pop()
        package, _, leaf = other.rpartition(".")
        forms = ["plain", "alias", "attribute", "string", "function", "table"]
        if package:
            forms += ["from", "from alias"]
            if name.partition(".")[0] == other.partition(".")[0]:
                forms += ["relative", "relative attribute"]
        match chance.choice(forms):
            case "plain":
                lines += [f"import {other}", f"SEEN.append({other}.ID)  # that of {other}"]
            case "alias":
                lines += [f"import {other} as alias_{leaf}", f"SEEN.append(alias_{leaf}.ID)"]
            case "attribute":
                lines += [f"from {other} import ID as id_{leaf}", f"SEEN.append(id_{leaf})"]
            case "string":
                lines += [f"SEEN.append(importlib.import_module('{other}').ID)"]
            case "function":
                lines += [
                    "def late():",
                    f"    import {other} as late_module",
                    "    return late_module.ID",
                    "SEEN.append(late())",
                ]
            case "table":
                lines += [f"TABLE = {{'x': '{other}:ID'}}" if package else "TABLE = {}"]
            case "from":
                pair = [each for each in waiting if splits and each.rpartition(".")[0] == package]
                if pair:
                    waiting.remove(pair[0])
                    lines += [
                        f"from {package} import (",
                        f"    {leaf},  # one",
                        f"    {pair[0].rpartition('.')[2]},",
                        ")",
                    ]
                    lines += [f"SEEN.append({pair[0].rpartition('.')[2]}.ID)"]
                else:
                    lines += [f"from {package} import {leaf}"]
                lines += [f"SEEN.append({leaf}.ID)"]
            case "from alias":
                lines += [f"from {package} import {leaf} as other_{leaf}", f"SEEN.append(other_{leaf}.ID)"]
            case "relative":
                lines += [f"from {_relative(package, name)} import {leaf}", f"SEEN.append({leaf}.ID)"]
            case "relative attribute":
                lines += [
                    f"from {_relative(other, name)} import ID as near_{leaf}",
                    f"SEEN.append(near_{leaf})",
                ]
    return "\n".join(lines) + "\n"


def _relative(module: str, importer: str) -> str:
    here, there = importer.split(".")[:-1], module.split(".")
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    return "." * (len(here) - shared + 1) + ".".join(there[shared:])


def _moves(names: list[str], packages: list[str], chance: Random) -> dict[str, str]:
    moves: dict[str, str] = {}
    fresh = iter(range(100))
    for name in chance.sample(names, chance.randint(1, len(names))):
        package, _, leaf = name.rpartition(".")
        home = chance.choice([*packages, *(f"{each}.n{next(fresh)}" for each in packages[:2])])
        new_leaf = chance.choice([leaf, leaf, f"{leaf}_renamed"])
        if f"{home}.{new_leaf}" != name and home != package:
            moves[f"{name.replace('.', '/')}.py"] = f"{home.replace('.', '/')}/{new_leaf}.py"
    return moves


def met_in(root: Path, names: list[str]) -> str:
    """What every module met, as JSON, imported in one new process."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", _SCRIPT, json.dumps(names)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout
