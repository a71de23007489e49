"""Check bars: the quality report on sets of the archive."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magellan.archive.dataset import SetId, SetNotFound, SetRecord, meant_symbol, valid_symbol
from magellan.archive.interpretation import CalendarNamed
from magellan.archive.quality.finding import QualityReport
from magellan.archive.quality.report import quality_report, unreadable_report
from magellan.errors import AskOperator
from magellan.ports.bars import BarArchive
from magellan.ports.corporate_actions import CorporateActionStore

_TOLD_SYMBOLS = 20  # of an archive that may hold thousands

Report = Callable[[str, float, float], None]


def check_bars(
    archive: BarArchive,
    actions: CorporateActionStore,
    calendar_named: CalendarNamed,
    wanted: Sequence[str] = (),
    *,
    report: Report = lambda phase, done, total: None,
) -> tuple[QualityReport, ...]:
    """One report per set, in the order of the catalogue. Reads every bar of each.

    wanted: symbols, or names of sets as `magellan data list` shows them; none of them means every set.
    Raises: SetNotFound for a name that fits no set; FixInput for a mistake in the corporate actions. A set
            whose files are damaged is reported as unfit.
    """
    records = chosen_sets(archive.sets(), wanted)
    table = actions.read()
    reports = []
    for done, record in enumerate(records):
        report("check", done, len(records))
        try:
            bars = archive.read(record.id)
        except AskOperator as error:  # the other sets are judged all the same
            reports.append(unreadable_report(record, error.message, error.next_step))
            continue
        reports.append(
            quality_report(bars, record, calendar_named(record.calendar), table.of(record.id.symbol))
        )
    report("check", len(records), len(records))
    return tuple(reports)


def chosen_sets(records: Sequence[SetRecord], wanted: Sequence[str]) -> tuple[SetRecord, ...]:
    """The sets that symbols or names of sets mean, each once; all of them when nothing is named.

    Raises: SetNotFound naming the first that fits none; FixInput for what cannot be either.
    """
    if not wanted:
        return tuple(records)
    chosen: dict[SetId, SetRecord] = {}
    for name in wanted:
        fitting = [record for record in records if _means(name, record.id)]
        if not fitting:
            raise SetNotFound(
                f"the archive holds no set of {name}",
                next_step=f"{meant_symbol(name, records)}it holds {_known(records)}; see `magellan data list`",
            )
        chosen |= {record.id: record for record in fitting}
    return tuple(record for record in records if record.id in chosen)


def _known(records: Sequence[SetRecord]) -> str:
    symbols = sorted({record.id.symbol for record in records})
    more = len(symbols) - _TOLD_SYMBOLS
    return ", ".join(symbols[:_TOLD_SYMBOLS]) + (f" and {more} more" if more > 0 else "") or "nothing"


def _means(name: str, set_id: SetId) -> bool:
    if name.count("/") >= 5:
        return SetId.parse(name) == set_id
    return valid_symbol(name.upper()) == set_id.symbol
