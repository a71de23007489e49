"""The cells of a campaign that were run, a line each, so that it is run in slices."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

SOUND = ("new", "old", "old, by --undo", "made", "not made", "whole", "nothing")


class Kept:
    """The cells that were run, a line each."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def all(self) -> list[dict[str, Any]]:
        """Oldest first."""
        if not self._file.exists():
            return []
        return [json.loads(line) for line in self._file.read_text().splitlines()]

    def add(self, target: str, verb: str, cell: str, *, how: str, met: bool, took_s: float) -> None:
        """One more."""
        told = {
            "target": target,
            "verb": verb,
            "cell": cell,
            "how": how,
            "met": met,
            "took_s": round(took_s, 1),
        }
        with open(self._file, "a") as file:
            file.write(json.dumps(told) + "\n")

    def names(self, target: str) -> set[str]:
        """Of the cells that were run on that target."""
        return {each["cell"] for each in self.all() if each["target"] == target}


def table(kept: Kept) -> str:
    """How many cells ended how, per target and verb."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for each in kept.all():
        how = each["how"] if each["how"] in SOUND else "WRONG"
        found.setdefault((each["target"], each.get("verb", "deploy")), Counter())[how] += 1
    lines = []
    for (target, verb), counts in sorted(found.items()):
        told = ", ".join(f"{counts[how]} {how}" for how in (*SOUND, "WRONG") if counts[how])
        lines.append(f"{target:<10}{verb:<10}{counts.total():>6} cells: {told}")
    return "\n".join(lines)
