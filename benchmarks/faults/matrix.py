"""The matrix: which faults, at which steps, of a deployment, a promotion and a roll-back."""

from __future__ import annotations

from dataclasses import dataclass

# (call, which one of them): what the plan asks of a host, or of the strategies' folders, in this order.
STEPS = {
    "deploy": (
        ("installed", 1), ("install", 1), ("installed", 2), ("look", 1), ("start", 1), ("look", 2),
        ("installed", 3), ("armed", 1), ("armed", 2), ("arm", 1), ("session", 1), ("session", 2),
    ),
    # Through its own folder too: prod/moods holds what trades there.
    "promote": (
        ("installed", 1), ("install", 1), ("installed", 2), ("look", 1), ("start", 1), ("look", 2), ("installed", 3),
        ("files_sha256", 1), ("put", 1), ("files_sha256", 2),
        ("armed", 1), ("armed", 2), ("arm", 1), ("session", 1), ("session", 2),
    ),
    # What it goes back to is installed and stands by.
    "rollback": (
        ("installed", 1), ("look", 1), ("look", 2), ("installed", 2), ("armed", 1), ("armed", 2), ("arm", 1),
        ("session", 1), ("session", 2),
    ),
}  # fmt: skip
OF_FOLDERS = frozenset({"files_sha256", "put", "put_back"})
FAULTS = (
    "killed before, resumed", "killed before, undone", "killed after, resumed", "killed after, undone",
    "Ctrl-C, resumed", "Ctrl-C, undone", "lost before", "lost after", "lost for good", "refused", "answered late",
    "new process killed", "old process killed", "both processes killed", "keeper ended", "new process frozen",
    "release edited", "release removed", "report torn", "journal full",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One fault at one step."""

    verb: str
    call: str
    number: int
    fault: str

    @property
    def name(self) -> str:
        verb = "" if self.verb == "deploy" else f"{self.verb}: "
        return f"{verb}{self.fault}, at {self.call} {self.number}"


CELLS = tuple(
    Cell(verb=verb, call=call, number=number, fault=fault)
    for verb, steps in STEPS.items()
    for call, number in steps
    for fault in FAULTS
)
