"""Damaged files: named, never read as if nothing were, and mended where the rest allows it."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import (
    Adjustment,
    DateRange,
    MergeOutcome,
    Provenance,
    SetId,
    SetNotFound,
    Source,
)
from magellan.archive.generated.small_market import small_market
from magellan.errors import AskOperator
from magellan.trading.bar import PRICE_COLUMNS, Bars
from magellan.trading.session import Hours
from magellan.trading.timeframe import DAY_NS, MINUTE

SET_ID = SetId(
    symbol="TEST", timeframe=MINUTE, vendor="v", feed="f", adjustment=Adjustment.RAW, hours=Hours.ALL
)


def two_years() -> Bars:
    market = small_market(1, 100)
    return Bars(
        symbol="TEST",
        timeframe=MINUTE,
        opened_at_ns=market.opened_at_ns + np.arange(100, dtype=np.int64) // 50 * 366 * DAY_NS,
        **{name: getattr(market, name) for name in (*PRICE_COLUMNS, "volume")},
    )


def merge(
    archive: ParquetBarArchive,
    rows: slice = slice(None),
    name: str = "a",
    requested: DateRange | None = None,
) -> MergeOutcome:
    source = Source(
        name=name,
        sha256=name.encode().hex().ljust(64, "0"),
        rows=1,
        requested=requested,
        fetched_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return archive.merge(SET_ID, two_years().rows(rows), Provenance(source=source))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    merge(ParquetBarArchive(tmp_path))
    return tmp_path


def part(data: Path, year: int) -> Path:
    (path,) = data.glob(f"bars/**/{year}-*.parquet")
    return path


def catalogue_file(data: Path) -> Path:
    (path,) = data.glob("catalogue/**/*.json")
    return path


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip_a_bit, cut_off, empty, Path.unlink])
def test_a_damaged_part_is_named_and_the_others_can_still_be_read(
    data: Path, damage: Callable[[Path], None]
) -> None:
    damage(part(data, 2024))
    archive = ParquetBarArchive(data)
    with pytest.raises(AskOperator, match=r"2024-[0-9a-f]{16}\.parquet is (damaged|missing)") as told:
        archive.read(SET_ID)
    assert told.value.next_step
    assert len(archive.read(SET_ID, datetime(2025, 1, 1, tzinfo=UTC))) == 50
    with pytest.raises(AskOperator):
        merge(archive, name="b")


@pytest.mark.parametrize("damage", [flip_a_bit, cut_off, empty])
def test_a_rebuild_names_damaged_parts_and_goes_on_once_they_are_gone(
    data: Path, damage: Callable[[Path], None]
) -> None:
    damage(part(data, 2024))
    archive = ParquetBarArchive(data)
    rebuilt = archive.rebuild()
    assert len(rebuilt.damaged) == 1
    assert part(data, 2024).name in rebuilt.damaged[0]
    part(data, 2024).unlink()
    assert archive.rebuild().damaged == ()
    assert content_sha256(archive.read(SET_ID)) == content_sha256(two_years().rows(slice(50, 100)))
    assert merge(archive).rows_added == 50
    assert content_sha256(archive.read(SET_ID)) == content_sha256(two_years())


def test_a_lost_catalogue_loses_no_bar_and_no_source(data: Path) -> None:
    archive = ParquetBarArchive(data)
    before = archive.record(SET_ID)
    catalogue_file(data).unlink()
    assert archive.sets() == ()
    assert merge(archive, slice(0, 10), name="b").rows_already_there == 10
    after = archive.record(SET_ID)
    assert (after.rows, after.sha256) == (before.rows, before.sha256)
    assert [source.name for source in after.sources] == ["a", "b"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: entry.update(parts=[]),
        lambda entry: entry.pop("terms"),
        lambda entry: entry["terms"].update(schema_version=2),
        lambda entry: entry["terms"].update(set="v/f/raw/all/OTHER/1Min"),
        lambda entry: entry["terms"].update(color="blue"),
        lambda entry: entry["parts"][0].update(rows="50"),
    ],
)
def test_a_catalogue_file_that_is_not_sound_is_named_and_can_be_rebuilt(
    data: Path, damage: Callable[[dict[str, object]], object]
) -> None:
    path, archive = catalogue_file(data), ParquetBarArchive(data)
    before = archive.record(SET_ID)
    entry = json.loads(path.read_text())
    damage(entry)
    path.write_text(json.dumps(entry))
    for ask in (
        archive.sets,
        lambda: archive.record(SET_ID),
        lambda: archive.read(SET_ID),
        lambda: merge(archive),
    ):
        with pytest.raises(AskOperator, match=r"1Min\.json is damaged") as told:
            ask()
        assert "magellan data rebuild" in told.value.next_step
    assert archive.rebuild().records == (before,)
    assert archive.record(SET_ID) == before


def test_a_rebuild_keeps_sources_that_added_no_bar_while_the_catalogue_can_be_read(data: Path) -> None:
    archive = ParquetBarArchive(data)
    assert merge(archive, name="b").rows_added == 0
    before = archive.record(SET_ID)
    assert [source.name for source in before.sources] == ["a", "b"]
    assert archive.rebuild().records == (before,)
    # No part knows of "b": with the catalogue it is gone, and its dates may be fetched again.
    catalogue_file(data).unlink()
    assert [source.name for source in archive.rebuild().records[0].sources] == ["a"]


def test_a_rebuild_takes_no_source_for_granted_whose_bars_are_gone(data: Path) -> None:
    archive = ParquetBarArchive(data)
    asked = DateRange(first_on=date(2020, 1, 2), last_on=date(2025, 12, 31))
    merge(archive, name="b", requested=asked)
    assert archive.record(SET_ID).requested == (asked,)
    part(data, 2024).unlink()
    (rebuilt,) = archive.rebuild().records
    assert rebuilt.rows == 50
    assert asked not in rebuilt.requested  # so that it is asked for again


def test_a_rebuild_chooses_the_fuller_of_two_parts_that_a_kill_left(tmp_path: Path, data: Path) -> None:
    fuller = part(data, 2024)
    smaller_archive = ParquetBarArchive(tmp_path / "other")
    merge(smaller_archive, slice(0, 30))
    smaller = part(tmp_path / "other", 2024)
    (fuller.parent / smaller.name).write_bytes(smaller.read_bytes())
    catalogue_file(tmp_path / "other").unlink()
    next(path for path in data.glob("catalogue/**/*.json") if "other" not in path.parts).unlink()
    archive = ParquetBarArchive(data)
    assert [record.rows for record in archive.rebuild().records] == [100]
    merge(archive, name="b")
    assert not (fuller.parent / smaller.name).exists()


def test_a_part_in_the_wrong_folder_is_not_taken_for_another_sets(data: Path) -> None:
    path = part(data, 2024)
    other = path.parents[1].with_name("OTHER") / path.parent.name / path.name
    other.parent.mkdir(parents=True)
    other.write_bytes(path.read_bytes())
    rebuilt = ParquetBarArchive(data).rebuild()
    assert [record.id.symbol for record in rebuilt.records] == ["TEST"]
    assert "belongs to the set v/f/raw/all/TEST/1Min" in rebuilt.damaged[0]


def test_a_catalogue_entry_without_any_part_is_dropped_by_a_rebuild(data: Path) -> None:
    for path in data.glob("bars/**/*.parquet"):
        path.unlink()
    archive = ParquetBarArchive(data)
    assert archive.rebuild().records == ()
    with pytest.raises(SetNotFound):
        archive.record(SET_ID)


def test_files_of_others_in_the_archives_folders_are_left_alone(data: Path) -> None:
    folder = part(data, 2024).parent
    (folder / "notes.txt").write_text("mine")
    (data / "bars" / "backup").mkdir()
    archive = ParquetBarArchive(data)
    merge(archive, name="b")
    assert archive.rebuild().damaged == ()
    assert (folder / "notes.txt").read_text() == "mine"
