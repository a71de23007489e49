"""The check of a workbook: what it says, what is wrong with it, and whether it can be used."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.regime.workbook.consistency import contradictions
from magellan.regime.workbook.extent import cut_to_extent
from magellan.regime.workbook.finding import Finding
from magellan.regime.workbook.finding_kinds import Severity
from magellan.regime.workbook.located import FoundWorkbook
from magellan.regime.workbook.model_values import Accounting, accounting
from magellan.regime.workbook.reading import WorkbookValues, read
from magellan.regime.workbook.version4 import defects


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A workbook that was checked."""

    file: str
    layout: str  # "4.0.0", or the number of our schema
    findings: tuple[Finding, ...]  # those that refuse first
    values: WorkbookValues | None  # None for the older layout, which has to be imported
    fields: Accounting

    @property
    def refusing(self) -> int:
        """How many findings refuse it."""
        return sum(each.severity is Severity.REFUSE for each in self.findings)

    @property
    def is_usable(self) -> bool:
        """Whether nothing refuses it."""
        return not self.refusing


def check(found: FoundWorkbook) -> Checked:
    """Check what was found in a file, of either layout. Takes away from it what is more than a workbook may say."""
    values, beyond = None, cut_to_extent(found)
    if found.is_version_4:
        findings = beyond + defects(found) + contradictions(found)
    else:
        values, unreadable = read(found)
        findings = beyond + unreadable + contradictions(found)
    return Checked(
        file=found.file,
        layout="4.0.0" if found.is_version_4 else "1",
        findings=tuple(sorted(findings, key=lambda each: each.severity is Severity.WARN)),
        values=values,
        fields=accounting(),
    )
