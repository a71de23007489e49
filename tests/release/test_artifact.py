"""A release as one file: whole, or refused with what is wrong with it."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.errors import AskOperator
from magellan.release.artifact import packed, unpacked

from .conftest import Bench

BENCH = Bench()
SMALL = packed(BENCH.release())


def rewritten(change: str) -> bytes:
    """The members of a release, packed anew by somebody else."""
    content = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(SMALL)) as old, tarfile.open(fileobj=content, mode="w") as new:
        for member in old:
            held = old.extractfile(member)
            assert held is not None
            body = held.read()
            if change == "mode":
                member.mode = 0o755
            elif change == "lacks" and member.name == "strategy/strategy.py":
                continue
            elif change == "code" and member.name == "strategy/strategy.py":
                body = b"FAST = 11\n"
            elif change == "link" and member.name == "strategy/strategy.py":
                member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
            new.addfile(member, io.BytesIO(body))
            if change == "twice" and member.name == "strategy/strategy.py":
                new.addfile(member, io.BytesIO(body))
        if change == "more":
            extra = tarfile.TarInfo("strategy/more.py")
            new.addfile(extra)
    return content.getvalue()


def test_a_release_reads_back_as_it_was_packed(bench: Bench) -> None:
    release = bench.release()
    assert unpacked(packed(release), name="moods") == release


def test_the_same_release_is_the_same_bytes_however_often_it_is_packed(bench: Bench) -> None:
    assert len({packed(bench.release()) for _ in range(100)}) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("code", "strategy/strategy.py is not what the manifest lists"),
        ("lacks", "lacks strategy/strategy.py, which its manifest lists"),
        ("more", "holds strategy/more.py, which its manifest does not list"),
        ("link", "strategy/strategy.py is no plain file"),
        ("mode", "is not packed as Magellan packs a release"),
        ("twice", "is not packed as Magellan packs a release"),
    ],
)
def test_a_release_that_somebody_changed_is_refused_by_what_was_changed(change: str, said: str) -> None:
    with pytest.raises(AskOperator, match=said):
        unpacked(rewritten(change), name="moods-1")


@given(place=st.integers(0, len(SMALL) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found_or_breaks_the_signature(place: int, bit: int) -> None:
    changed = bytearray(SMALL)
    changed[place] ^= 1 << bit
    try:
        release = unpacked(bytes(changed), name="moods-1")
    except AskOperator:
        return
    trusted = {"ada": BENCH.key.public_key}
    assert release.signature.problem(release.release_id, trusted) is not None


@given(kept=st.integers(0, len(SMALL) - 1))
def test_half_a_release_is_none(kept: int) -> None:
    with pytest.raises(AskOperator):
        unpacked(SMALL[:kept], name="moods-1")


@pytest.mark.parametrize("path", ["../outside.py", "/etc/passwd", "a//b", "a/./b", "a\\b", "", "a/../b"])
def test_a_manifest_that_reaches_outside_the_release_is_refused(bench: Bench, path: str) -> None:
    with pytest.raises(ValueError, match="no path inside a release"):
        bench.release(files={path: b""})


def test_a_manifest_in_another_form_is_no_manifest(bench: Bench) -> None:
    release = bench.release()
    manifest = release.manifest
    other = manifest.written().replace(b'"author": "ada"', b'"author":  "ada"')
    with pytest.raises(AskOperator, match="not written as Magellan writes it"):
        type(manifest).parsed(other, name="moods-1")
    with pytest.raises(AskOperator, match="moods-1: surprise: Extra inputs"):
        type(manifest).parsed(
            manifest.written().replace(b'"author"', b'"surprise": 1, "author"'), name="moods-1"
        )
