"""Which release a person means, and which may go."""

from datetime import UTC, datetime

import pytest

from magellan.errors import FixInput
from magellan.release.retention import prunable
from magellan.release.stored import StoredRelease, chosen

RELEASES = tuple(
    StoredRelease(
        strategy="moods",
        number=number,
        release_id=release_id.ljust(64, "0"),
        stored_at=datetime(2026, 1, number, tzinfo=UTC),
        size=1,
    )
    for number, release_id in ((1, "abcd1"), (2, "abcd2"), (5, "1234"))
)
FIRST, SECOND, NEWEST = RELEASES


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        (None, NEWEST),
        ("1", FIRST),
        ("5", NEWEST),
        ("abcd2", SECOND),
        ("1234", NEWEST),
        ("moods-2-abcd20000000", SECOND),
        (FIRST.release_id, FIRST),
    ],
)
def test_a_release_is_named_by_number_name_or_the_beginning_of_its_id(
    named: str | None, meant: StoredRelease
) -> None:
    assert chosen(RELEASES, named, strategy="moods") == meant


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("abcd", "may be any of moods-1-abcd10000000, moods-2"),
        ("3", "is called '3'"),
        ("abc", "is called 'abc'"),
    ],
)
def test_a_name_that_fits_none_or_several_is_refused(named: str, said: str) -> None:
    with pytest.raises(FixInput, match=said):
        chosen(RELEASES, named, strategy="moods")


def test_a_strategy_without_releases_says_how_to_build_one() -> None:
    with pytest.raises(FixInput, match="there is no release of moods") as refused:
        chosen((), None, strategy="moods")
    assert refused.value.next_step == "build one with `magellan release build moods`"


def test_the_newest_stay_and_so_does_what_ran() -> None:
    assert prunable(RELEASES, keep=1, in_use=set()) == (FIRST, SECOND)
    assert prunable(RELEASES, keep=1, in_use={FIRST.release_id}) == (SECOND,)
    assert prunable(RELEASES, keep=3, in_use=set()) == ()
