"""List bars: the catalogue of the archive, and imports that never came to their end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from magellan.archive.dataset import SetRecord
from magellan.ports.bars import BarArchive
from magellan.ports.import_journal import ImportJournal, UnfinishedImport
from magellan.usecases.check_bars import chosen_sets


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What the archive holds."""

    sets: tuple[SetRecord, ...]
    unfinished_imports: tuple[UnfinishedImport, ...]


def list_bars(archive: BarArchive, journal: ImportJournal, wanted: Sequence[str] = ()) -> Catalogue:
    """The sets of the archive, ordered by symbol and timeframe.

    wanted: symbols or names of sets; none of them means every set. Raises SetNotFound for one that fits none.
    """
    return Catalogue(sets=chosen_sets(archive.sets(), wanted), unfinished_imports=journal.unfinished())
