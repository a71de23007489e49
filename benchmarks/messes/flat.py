"""The flat mess: everything in one folder. Its shares are those of a real repository of 1,284 files in the root.

Of 328 modules there, 86 have syntax errors and 104 more cannot be imported; one package that is missing breaks 50.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Final

from benchmarks.messes.modules import names, source

REAL_MODULES: Final = 328
_OF_REAL: Final = {  # how many of what, beside 328 modules
    "broken": 86, "without core": 50, "without a package": 30, "without a file": 14, "of the network": 10,
    "copies": 40, "nearly copies": 30, "backups": 150, "configs": 120, "logs": 90, "tables": 160, "documents": 220,
    "notebooks": 24, "images": 60, "pip slips": 24, "shell": 30,
}  # fmt: skip
_BREAKS: Final = (
    "    return (\n",
    "def half(:\n    pass\n",
    "<<<<<<< HEAD\nLIMIT = 1\n=======\nLIMIT = 2\n>>>>>>> fix\n",
    "    unexpected = indent\n",
    'text = "never closed\n',
)
_PATH_HACK: Final = "import os\nimport sys\n\nsys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))"
_ABSENT: Final = ("alpaca_trade_api_old", "talib_wrapper", "quantlib_tools", "gpu_trading_kernels")


def make_flat(root: Path, *, modules: int = REAL_MODULES, seed: int = 1) -> None:
    """Fill an empty folder. modules: how many; everything else follows in proportion."""
    chance = random.Random(seed)
    count = {name: max(1, round(number * modules / REAL_MODULES)) for name, number in _OF_REAL.items()}
    doubles = count["copies"] + count["nearly copies"]
    made = names(modules - doubles, chance)
    order = list(range(len(made)))
    chance.shuffle(order)
    trouble = iter(order)
    broken, coreless, packageless, fileless, talkative = (
        {next(trouble) for _ in range(count[each])}
        for each in ("broken", "without core", "without a package", "without a file", "of the network")
    )
    troubled = broken | coreless | packageless | fileless | talkative
    texts: dict[str, str] = {}
    for number, (name, trade) in enumerate(made):
        # Only what came before is imported, and what fails seldom is: the mess has grown, and some of it ran.
        sound = [
            each for at, each in enumerate(made[:number]) if at not in troubled or chance.random() < 0.02
        ]
        met = chance.sample(sound, min(len(sound), chance.choice((0, 1, 1, 2, 3))))
        head = _PATH_HACK if chance.random() < 0.2 else ""
        if number in coreless:
            head = "from core.config_manager import ConfigManager"
        elif number in packageless:
            head = f"import {chance.choice(_ABSENT)}"
        elif number in fileless:
            head = f"SETTINGS = open('config/{name}.json').read()"
        elif number in talkative:
            head = "import socket\n\nLINE = socket.create_connection(('192.0.2.1', 443), timeout=2)"
        text = source(name, trade, met, chance, head=head)
        if number in broken:
            lines = text.splitlines(keepends=True)
            at = chance.randint(len(lines) // 2, len(lines) - 2)
            text = "".join([*lines[:at], chance.choice(_BREAKS), *lines[at:]])
        texts[name] = text
    for number in range(doubles):
        original = chance.choice(made)[0]
        text = texts[original]
        if number >= count["copies"]:
            text = text.replace("checked by hand", "checked again").replace("LIMIT = ", "LIMIT = 1 + ")
        texts[f"{original}_copy{number}"] = text
    files = {f"{name}.py": text for name, text in texts.items()}
    files |= _rest(sorted(texts), count, chance)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
    # What makes a copy of bytes hard: other encodings, other line ends, a link, an empty folder.
    odd = sorted(texts)[:3]
    (root / f"{odd[0]}.py").write_bytes(b"\xef\xbb\xbf" + texts[odd[0]].encode())
    (root / f"{odd[1]}.py").write_bytes(texts[odd[1]].replace("\n", "\r\n").encode())
    (root / f"{odd[2]}.py").write_bytes(b"# -*- coding: latin-1 -*-\n# gew\xe4hlt\n" + texts[odd[2]].encode())
    (root / "current.py").symlink_to(f"{odd[0]}.py")
    (root / "backup_folder").mkdir()


def _rest(modules: list[str], count: dict[str, int], chance: random.Random) -> dict[str, str]:
    """What lies beside the code, much of which names it."""

    def some() -> str:
        return chance.choice(modules)

    files: dict[str, str] = {
        "requirements.txt": "numpy>=1.24.0\npandas\n",
        "Dockerfile": f'FROM python:3.11\nCOPY . /app\nCMD ["python", "{some()}.py"]\n',
        "deployment/bot.service": f"[Service]\nExecStart=/usr/bin/python3 /opt/bot/{some()}.py\n",
        "tests/test_everything.py": "".join(
            f"def test_{name}():\n    import {name}\n\n    assert {name}.LIMIT\n\n\n" for name in modules[::9]
        ),
        "tests/test_patches.py": (
            f'from unittest.mock import patch\n\n\n@patch("{some()}.LIMIT", 3)\ndef test_limit():\n    pass\n'
        ),
    }
    for number in range(count["backups"]):
        files[f"{some()}.py.backup_{number}"] = f"# kept on a Friday\nimport {some()}\n"
    for number in range(count["configs"]):
        files[f"config_{number}.json"] = json.dumps(
            {"runner": f"{some()}.py", "module": some(), "limit": number}
        )
    for number in range(count["logs"]):
        files[f"run_{number}.log"] = f"2025-01-{1 + number % 28:02d} 09:30:00 INFO {some()} started\n" * 20
    for number in range(count["tables"]):
        files[f"trades_{number}.csv"] = "symbol,price\n" + f"SPY,{400 + number}.25\n" * 30
    for number in range(count["documents"]):
        files[f"NOTES_{number}.md"] = f"# Notes {number}\n\nRun `python {some()}.py`; see `{some()}.LIMIT`.\n"
    for number in range(count["notebooks"]):
        cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [],
                "source": [f"import {some()}\n", "print(1)"]}  # fmt: skip
        files[f"research_{number}.ipynb"] = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4,
                                                        "nbformat_minor": 5})  # fmt: skip
    for number in range(count["images"]):
        files[f"chart_{number}.png"] = f"\x89PNG\r\n\x1a\n{number}\0"
    for number in range(count["pip slips"]):
        files[f"={number}.24.0"] = "Collecting numpy\n"
    for number in range(count["shell"]):
        files[f"start_{number}.sh"] = f"#!/bin/sh\ncd $(dirname $0)\npython3 {some()}.py --live\n"
    return files
