"""The matrix: which faults, at which steps of a roll-out."""

from __future__ import annotations

from dataclasses import dataclass

# (call, which one of them): what the plan asks of a host, in this order.
STEPS = (
    ("installed", 1), ("install", 1), ("installed", 2), ("look", 1), ("start", 1), ("look", 2),
    ("installed", 3), ("armed", 1), ("armed", 2), ("arm", 1), ("session", 1), ("session", 2),
)  # fmt: skip
FAULTS = (
    "killed before, resumed", "killed before, undone", "killed after, resumed", "killed after, undone",
    "Ctrl-C, resumed", "Ctrl-C, undone", "lost before", "lost after", "lost for good", "refused", "answered late",
    "new process killed", "old process killed", "both processes killed", "keeper ended", "new process frozen",
    "release edited", "release removed", "report torn", "journal full",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One fault at one step."""

    call: str
    number: int
    fault: str

    @property
    def name(self) -> str:
        return f"{self.fault}, at {self.call} {self.number}"


CELLS = tuple(Cell(call=call, number=number, fault=fault) for call, number in STEPS for fault in FAULTS)
