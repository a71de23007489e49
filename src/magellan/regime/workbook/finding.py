"""Findings: what is wrong with a workbook, where, why it matters, and how it is mended."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.regime.workbook.finding_kinds import KINDS, Severity


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Finding:
    """One thing that is wrong. Never edited; not frozen, since a spoilt workbook has tens of thousands of them, and
    each would take three times as long to make.
    """

    kind: str  # a key of KINDS
    severity: Severity
    file: str
    sheet: str
    cell: str  # "B4"; in TOML and JSON the key; "" where the whole sheet is meant
    found: str
    expected: str
    why: str
    fix: str

    @property
    def place(self) -> str:
        """Sheet and cell, as spreadsheets write it."""
        return "!".join(part for part in (self.sheet, self.cell) if part) or self.file


def finding(
    kind: str, *, file: str, sheet: str, cell: str, found: object, expected: str, fix: str = ""
) -> Finding:
    """A finding of that kind. fix: what to do here; "" for what the kind says."""
    common = KINDS[kind]
    return Finding(
        kind=kind, severity=common.severity, file=file, sheet=sheet, cell=cell, found=str(found), expected=expected,
        why=common.why, fix=fix or common.fix,
    )  # fmt: skip
