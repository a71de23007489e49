"""The catalogue: one small JSON file per set. A set's bars are the parts that its file names, and no others.

So replacing that one file is the moment at which a merge has happened, and whatever a kill leaves beside the
named parts is rubbish. Each part carries a copy of what the file knew, from which it can be rebuilt.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from magellan.adapters.durable_file import make_folder_durably, write_durably
from magellan.archive.checksum import combined_sha256
from magellan.archive.dataset import SCHEMA_VERSION, DateRange, SetId, SetRecord, Source, joined
from magellan.errors import AskOperator, FixInput
from magellan.trading.bar import instant

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Stored(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class StoredRange(_Stored):
    """Exchange dates, both included."""

    first_on: date
    last_on: date


class StoredSource(_Stored):
    """One file or download that bars came from."""

    name: str
    sha256: _Sha256
    rows: Annotated[int, Field(ge=0)]
    requested: StoredRange | None
    counts_as: StoredRange  # what was asked for; where nothing says so, the dates that it held
    fetched_at: datetime
    assumptions: tuple[str, ...]
    repeated_rows: Annotated[int, Field(ge=0)]


class StoredTerms(_Stored):
    """What is known of a set beside its bars. Travels inside every part, too."""

    schema_version: Literal[1]
    set: str
    calendar: str
    sources: Annotated[tuple[StoredSource, ...], Field(min_length=1)]
    negative_prices: bool
    point_value: float
    generated: bool


class StoredPart(_Stored):
    """One Parquet file of the set, and the checksum of each UTC year in it."""

    file: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9a-f]{16}\.parquet$")]
    rows: Annotated[int, Field(gt=0)]
    first_ns: int
    last_ns: int
    years: tuple[tuple[int, _Sha256], ...]


class StoredSet(_Stored):
    """A catalogue file."""

    terms: StoredTerms
    parts: Annotated[tuple[StoredPart, ...], Field(min_length=1)]  # oldest first

    def record(self) -> SetRecord:
        """The same as the value that the rest of the product knows."""
        terms = self.terms
        return SetRecord(
            id=SetId.parse(terms.set),
            calendar=terms.calendar,
            requested=joined(tuple(_range(source.counts_as) for source in terms.sources)),
            first_at=instant(self.parts[0].first_ns),
            last_at=instant(self.parts[-1].last_ns),
            rows=sum(part.rows for part in self.parts),
            sha256=combined_sha256(year for part in self.parts for year in part.years),
            sources=tuple(_source(each) for each in terms.sources),
            negative_prices=terms.negative_prices,
            point_value=terms.point_value,
            generated=terms.generated,
            schema_version=terms.schema_version,
        )


def stored_source(source: Source, counts_as: DateRange) -> StoredSource:
    """A source as it is stored."""
    return StoredSource(
        name=source.name,
        sha256=source.sha256,
        rows=source.rows,
        requested=None if source.requested is None else _stored_range(source.requested),
        counts_as=_stored_range(counts_as),
        fetched_at=source.fetched_at,
        assumptions=source.assumptions,
        repeated_rows=source.repeated_rows,
    )


class Catalogue:
    """The catalogue files below one folder, laid out like the sets' names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def exists(self) -> bool:
        """Whether it was ever begun."""
        return self._folder.is_dir()

    def begin(self) -> None:
        """Make it, without a file yet: bars beside no catalogue at all mean that it was lost."""
        make_folder_durably(self._folder, kept="the archive, as it was")

    def set_ids(self) -> tuple[SetId, ...]:
        """The sets that have a file, ordered by symbol and timeframe."""
        files = self._folder.glob("*/*/*/*/*/*.json")
        return tuple(
            sorted(SetId.parse(str(file.relative_to(self._folder))[: -len(".json")]) for file in files)
        )

    def read(self, set_id: SetId) -> StoredSet | None:
        """The set's file; None when there is none. Raises AskOperator when it is damaged."""
        path = self._path(set_id)
        try:
            return self._parsed(path.read_bytes(), set_id)
        except FileNotFoundError:
            return None
        except (OSError, ValidationError, FixInput) as error:
            raise AskOperator(
                f"{path} is damaged: {_first_line(error)}",
                kept="the bars; the catalogue can be made again from them",
                next_step="run `magellan data rebuild`",
            ) from error

    def write(self, set_id: SetId, stored: StoredSet) -> None:
        """Replace the set's file. Raises AskOperator, and leaves the old one, when that is impossible."""
        content = stored.model_dump_json(indent=1).encode()
        assert self._parsed(content, set_id) == stored, "a catalogue file reads back as it was written"
        write_durably(self._path(set_id), content, kept="the archive, as it was")

    def forget(self, set_id: SetId) -> None:
        """Delete the set's file, where there is one."""
        self._path(set_id).unlink(missing_ok=True)

    def _path(self, set_id: SetId) -> Path:
        return self._folder / f"{set_id.slug}.json"

    @staticmethod
    def _parsed(content: bytes, set_id: SetId) -> StoredSet:
        stored = StoredSet.model_validate_json(content)
        if stored.terms.set != set_id.slug:
            raise FixInput(f"it describes the set {stored.terms.set}")
        return stored


def _stored_range(dates: DateRange) -> StoredRange:
    return StoredRange(first_on=dates.first_on, last_on=dates.last_on)


def _range(stored: StoredRange) -> DateRange:
    return DateRange(first_on=stored.first_on, last_on=stored.last_on)


def _source(stored: StoredSource) -> Source:
    return Source(
        name=stored.name,
        sha256=stored.sha256,
        rows=stored.rows,
        requested=None if stored.requested is None else _range(stored.requested),
        fetched_at=stored.fetched_at.astimezone(
            UTC
        ),  # the value's own UTC, which reads better than pydantic's
        assumptions=stored.assumptions,
        repeated_rows=stored.repeated_rows,
    )


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"
    return str(error).splitlines()[0]


assert SCHEMA_VERSION == 1, "StoredTerms names the schema version that it reads"
