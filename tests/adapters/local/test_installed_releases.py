"""Releases on a host: whole or not at all, engines shared, and whoever edits them is found."""

import os
from pathlib import Path

import pytest

from magellan.adapters.local.installed_releases import InstalledReleases
from magellan.errors import AskOperator
from magellan.release.artifact import Artifact, packed
from release.conftest import Bench

BENCH = Bench()
RELEASE = BENCH.release()
OTHER = BENCH.release(version="1.0.1")  # with the same engine
TRUSTED = {"ada": BENCH.key.public_key}


@pytest.fixture
def host(tmp_path: Path) -> InstalledReleases:
    return InstalledReleases(tmp_path, trusted_keys=TRUSTED)


def install(host: InstalledReleases, release: Artifact) -> str:
    host.install(release.release_id, packed(release))
    return release.release_id


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_an_installed_release_is_what_was_built_and_can_be_read_back(host: InstalledReleases) -> None:
    release_id = install(host, RELEASE)
    assert host.drift(release_id) == ()
    assert host.manifest(release_id) == RELEASE.manifest
    assert (host.strategy_folder(release_id) / "strategy.py").read_bytes() == b"FAST = 10\n"
    assert (host.engine_folder(release_id) / "magellan" / "__init__.py").is_file()


def test_two_releases_of_one_engine_run_it_from_one_place(host: InstalledReleases) -> None:
    assert host.engine_folder(install(host, RELEASE)) == host.engine_folder(install(host, OTHER))


def test_an_engine_goes_with_the_last_release_that_runs_it(host: InstalledReleases, tmp_path: Path) -> None:
    first, second = install(host, RELEASE), install(host, OTHER)
    host.remove(first)
    assert host.drift(second) == ()
    host.remove(second)
    assert everything(tmp_path) == ["engines", "installed"]


def test_installing_twice_and_removing_what_is_not_there_change_nothing(
    host: InstalledReleases, tmp_path: Path
) -> None:
    release_id = install(host, RELEASE)
    before = everything(tmp_path)
    install(host, RELEASE)
    host.remove("f" * 64)
    assert everything(tmp_path) == before
    assert host.drift(release_id) == ()


@pytest.mark.parametrize(
    ("edited", "said"),
    [
        ("strategy/strategy.py", "strategy/strategy.py was edited"),
        ("engine/magellan/__init__.py", "engine/magellan/__init__.py was edited"),
        ("requirements.lock", "requirements.lock was edited"),
        ("strategy/more.py", "strategy/more.py was added"),
        ("engine/magellan/more.py", "engine/magellan/more.py was added"),
        ("signature.json", "its signature cannot be read"),
        ("manifest.json", "manifest.json"),
    ],
)
def test_a_file_that_was_edited_where_it_runs_is_named(
    host: InstalledReleases, edited: str, said: str
) -> None:
    release_id = install(host, RELEASE)
    path = host.folder(release_id) / edited
    path.unlink(missing_ok=True)
    path.write_text("changed")
    assert any(said in line for line in host.drift(release_id)), host.drift(release_id)


def test_a_file_that_is_gone_is_named(host: InstalledReleases) -> None:
    release_id = install(host, RELEASE)
    (host.folder(release_id) / "strategy/config.json").unlink()
    assert host.drift(release_id) == ("strategy/config.json: No such file or directory",)


def test_nobody_writes_installed_files_by_accident(host: InstalledReleases) -> None:
    release_id = install(host, RELEASE)
    for path in host.folder(release_id).rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o222 == 0, path


def test_a_release_that_nobody_trusted_has_signed_is_not_installed(tmp_path: Path) -> None:
    host = InstalledReleases(tmp_path, trusted_keys={"eve": Bench().key.public_key})
    with pytest.raises(AskOperator, match=r"which magellan\.toml does not trust"):
        install(host, RELEASE)
    assert everything(tmp_path) == []


def test_a_key_that_is_trusted_no_more_is_found_where_the_release_runs(tmp_path: Path) -> None:
    release_id = install(InstalledReleases(tmp_path, trusted_keys=TRUSTED), RELEASE)
    (found,) = InstalledReleases(tmp_path, trusted_keys={}).drift(release_id)
    assert "which magellan.toml does not trust" in found


def test_half_a_release_or_another_one_is_refused_and_leaves_nothing(
    host: InstalledReleases, tmp_path: Path
) -> None:
    for release_id, content in (
        (RELEASE.release_id, packed(RELEASE)[:-2000]),
        (RELEASE.release_id, packed(OTHER)),
    ):
        with pytest.raises(AskOperator):
            host.install(release_id, content)
    assert everything(tmp_path) == []


def test_a_disk_that_is_full_leaves_what_was_there(
    host: InstalledReleases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(host, RELEASE)
    before = everything(tmp_path)
    written = 0
    real = os.fsync

    def full(descriptor: int) -> None:
        nonlocal written
        written += 1
        if written == 3:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AskOperator, match="the disk is full"):
        install(host, OTHER)
    assert everything(tmp_path) == before


def test_an_edit_that_leaves_size_and_time_as_they_were_is_found_by_the_next_look(
    host: InstalledReleases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magellan.adapters.local.installed_releases._SETTLED_NS", 0)
    release_id = install(host, RELEASE)
    path = host.strategy_folder(release_id) / "strategy.py"
    assert host.drift(release_id) == host.drift(release_id) == ()
    was = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"FAST = 99\n")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert host.drift(release_id) == ("strategy/strategy.py was edited",)


def test_what_somebody_edited_is_put_aside_when_its_release_is_removed(
    host: InstalledReleases, tmp_path: Path
) -> None:
    release_id = install(host, RELEASE)
    path = host.strategy_folder(release_id) / "strategy.py"
    path.chmod(0o644)
    path.write_bytes(b"FAST = 99  # by hand\n")
    host.remove(release_id)
    assert not host.is_there(release_id)
    (kept,) = (tmp_path / "edited").glob(f"{release_id}-*/strategy/strategy.py")
    assert kept.read_bytes() == b"FAST = 99  # by hand\n"
    assert host.drift(install(host, RELEASE)) == (), "and it can be installed again as it was built"
