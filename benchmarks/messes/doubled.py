"""The doubled mess: the same package grown twice in two places of one project, each edited for itself.

In the real one, one tree has 400 files and more, the other 50 and more; files of the same name differ on both sides,
and folders named `archive_..._do_not_use` are imported all the same.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

from benchmarks.messes.modules import Trade, names, source

OLD, NEW = "backtester/strategies", "ui_centralized/strategies"
FOLDERS: Final = (
    "",
    "market_regime",
    "market_regime/archive_enhanced_modules_do_not_use",
    "options",
    "shared",
)
_NEWER_SHARE: Final = 8  # one in so many modules is in both


def make_doubled(root: Path, *, modules: int = 420, seed: int = 1) -> None:
    """Fill an empty folder. modules: of the larger tree; the smaller has one for every eight of them."""
    chance = random.Random(seed)
    made = [
        (f"{folder}/{name}" if folder else name, trade)
        for name, trade in names(modules, chance)
        for folder in (chance.choice(FOLDERS),)
    ]
    shared = made[::_NEWER_SHARE]
    _write_tree(root, OLD, made, chance)
    texts = _write_tree(root, NEW, shared, chance)
    for number, (path, trade) in enumerate(shared):
        original = (root / OLD / f"{path}.py").read_text()
        # The copy was taken with its imports bent to the new place; then either side went on.
        mine = original.replace("backtester.strategies", "ui_centralized.strategies")
        mine = mine if all(each in texts for each in _met(mine)) else _without_imports(mine)
        (root / NEW / f"{path}.py").write_text(_edited(mine, trade, number))
    for number in range(max(2, len(made) // 10)):
        path, _ = chance.choice(made)
        dotted = path.replace("/", ".")
        files = {
            f"tests/test_part_{number}.py": (
                f"from unittest.mock import patch\n\nfrom backtester.strategies.{dotted} import LIMIT\n\n\n"
                f'@patch("backtester.strategies.{dotted}.LIMIT", 3)\ndef test_limit():\n    assert LIMIT\n'
            ),
            f"api/route_{number}.py": (
                "import importlib\n\n\ndef handler():\n"
                f'    return importlib.import_module("backtester.strategies.{dotted}").LIMIT\n'
            ),
            f"deployment/job_{number}.yaml": f"run: python -m backtester.strategies.{dotted}\n",
        }
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)


def _write_tree(root: Path, top: str, made: list[tuple[str, Trade]], chance: random.Random) -> set[str]:
    dotted_top = top.replace("/", ".")
    for folder in {f"{top}/{each}".rstrip("/") for each in FOLDERS} | {top.partition("/")[0]}:
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "__init__.py").write_text(f'"""Of {folder}."""\n')
    for number, (path, trade) in enumerate(made):
        before = made[max(0, number - 60) : number]
        met = [
            (f"{dotted_top}.{other.replace('/', '.')}", about)
            for other, about in chance.sample(before, min(len(before), chance.choice((0, 1, 2, 2))))
        ]
        head = "import scipy_extensions_of_ours" if chance.random() < 0.05 else ""
        text = source(f"{dotted_top}.{path}", trade, met, chance, head=head)
        if chance.random() < 0.03:
            text += "def half(:\n"
        (root / top / f"{path}.py").write_text(text)
    return {f"{dotted_top}.{path.replace('/', '.')}" for path, _ in made}


def _met(text: str) -> list[str]:
    return [
        line.split()[1]
        for line in text.splitlines()
        if line.startswith(("import ui_centralized", "from ui_centralized"))
    ]


def _without_imports(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("import ui_", "from ui_")))


def _edited(text: str, trade: Trade, number: int) -> str:
    """The copy as it went on: one way of six, by turns."""
    first, second = trade.verbs[0], trade.verbs[1]
    match number % 6:
        case 0:
            return text
        case 1:  # only its form
            return text.replace("    return sum(kept)", "    return (sum(kept))").replace(
                "# works", "#  works"
            )
        case 2:  # a function more
            return f"{text}\n\ndef only_here_{number}(values):\n    return sorted(values)\n"
        case 3:  # a method more
            return text.replace(
                f"    def {first}(",
                f"    def newer_{first}(self):\n        return {number}\n\n    def {first}(",
                1,
            )
        case 4:  # the same method, changed
            return text.replace("return sum(kept) + ", "return max(kept, default=0) - ", 1)
        case _:  # a name that was changed, and a constant
            changed = text.replace(f"def make_{trade.thing.lower()}(", f"def build_{trade.thing.lower()}(")
            return changed.replace(f"def {second}(", f"def {second}_again(", 1).replace(
                "LIMIT = ", "LIMIT = 2 * ", 1
            )
