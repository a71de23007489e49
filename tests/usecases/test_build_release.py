"""Build a release: what goes in, what keeps it from being built, and that it is always the same bytes."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from magellan.adapters.local.release_folder import ReleaseFolder
from magellan.adapters.local.release_inputs import ThisInstallation
from magellan.adapters.local.release_key import ReleaseKeyFile
from magellan.errors import AskOperator, FixInput
from magellan.release.manifest import Commit
from magellan.usecases.build_release import Built, ReleaseSources, build_release
from magellan.usecases.gate_evidence.examination import files_sha256
from magellan.usecases.releases import compare_releases, open_release, prune_releases, verify_releases
from magellan.workspace.workspace import StrategyFolder

from .conftest import NOW, Desk


@dataclass
class SmallEngine:
    """An installation of two files, so that a hundred builds take no time."""

    files: Mapping[str, bytes] = field(
        default_factory=lambda: {"magellan/__init__.py": b"", "magellan/a.py": b"A = 1"}
    )
    made_of: Commit | None = None

    def engine_version(self) -> str:
        return "0.1.0"

    def engine_files(self) -> Mapping[str, bytes]:
        return self.files

    def lock(self) -> bytes:
        return b"numpy==2.4.0\n"

    def commit(self, folder: Path) -> Commit | None:
        return self.made_of


@dataclass
class Yard:
    """A judged strategy, and all that a build asks."""

    desk: Desk
    sources: ReleaseSources

    def build(self, author: str = "ada") -> Built:
        return build_release(self.desk.folder, self.sources, author=author)

    def judge(self) -> None:
        """Keep a verdict on the files as they are: of the form that gates write, without an hour's evidence."""
        folder = self.desk.folder
        document = {
            "answer": "shut",
            "judged_at": NOW.isoformat(),
            "strategy": {"files_sha256": files_sha256(folder)},
            "criteria": [{"name": "trades_min", "answer": "open"}, {"name": "sharpe_min", "answer": "shut"}],
            "evidence": [],
        }
        self.sources.gates.keep_verdict(folder, NOW, document)

    def problems(self) -> list[str]:
        checked = verify_releases(self.sources.store, None, None, trusted_keys=self.sources.trusted_keys)
        return [each.problem for each in checked]


@pytest.fixture
def yard(desk: Desk, tmp_path: Path) -> Yard:
    key = ReleaseKeyFile(tmp_path / "config" / "release_key.pem")
    public = key.make().public_key
    sources = ReleaseSources(
        store=ReleaseFolder(desk.workspace.state_folder / "releases"),
        key=key,
        inputs=SmallEngine(),
        gates=desk.sources.records,
        known_secrets={"ALPACA_API_SECRET": "0123456789abcdef"},
        trusted_keys={"ada": public},
        clock=lambda: NOW,
    )
    yard = Yard(desk, sources)
    yard.judge()
    return yard


def test_a_release_holds_the_strategys_folder_the_engine_the_lock_and_the_verdict(yard: Yard) -> None:
    folder = yard.desk.folder.path
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "strategy.cpython-311.pyc").write_bytes(b"cache")
    (folder / ".DS_Store").write_bytes(b"hidden")
    yard.desk.gate()
    built = yard.build()
    opened = open_release(
        yard.sources.store, yard.desk.folder.name, None, trusted_keys=yard.sources.trusted_keys
    )
    held = set(opened.artifact.files)
    assert held >= {
        "strategy/strategy.py",
        "strategy/config.json",
        "engine/magellan/a.py",
        "requirements.lock",
    }
    assert not [path for path in held if "cache" in path or "DS_Store" in path]
    assert opened.artifact.files["strategy/strategy.py"] == yard.desk.folder.strategy_file.read_bytes()
    assert opened.artifact.files["evidence/verdict.json"] == yard.sources.gates.newest_verdict(
        yard.desk.folder
    )
    assert built.manifest.gate.answer == "shut"
    assert built.manifest.gate.not_open == ("changes_since_accepted", "sharpe_drop_max", "drawdown_rise_max")
    assert len(built.manifest.data_ids) == 3
    assert built.signer == opened.signer == "ada"
    assert yard.problems() == [""]


def test_ten_builds_of_the_same_are_one_release_of_the_same_bytes(yard: Yard) -> None:
    first = yard.build()
    content = yard.sources.store.content(first.stored)
    days = iter(range(1, 11))
    yard.sources = replace(yard.sources, clock=lambda: NOW + timedelta(days=next(days)))
    for _ in range(10):
        again = yard.build()
        assert again.was_there
        assert again.stored == first.stored
    assert yard.sources.store.content(first.stored) == content
    assert len(yard.sources.store.releases(yard.desk.folder.name)) == 1


def test_whatever_changes_makes_another_release(yard: Yard) -> None:
    ids = {yard.build().stored.release_id}
    ids.add(yard.build(author="bob").stored.release_id)
    yard.sources = replace(yard.sources, inputs=SmallEngine(files={"magellan/__init__.py": b"x = 1"}))
    ids.add(yard.build().stored.release_id)
    yard.sources = replace(yard.sources, inputs=SmallEngine(made_of=Commit(id="a" * 40, is_clean=True)))
    ids.add(yard.build().stored.release_id)
    (yard.desk.folder.path / "notes.md").write_text("words that the gates do not judge")
    ids.add(yard.build().stored.release_id)
    assert len(ids) == 5


def test_files_that_the_gates_have_not_judged_are_not_released(yard: Yard) -> None:
    with yard.desk.folder.strategy_file.open("a") as file:
        file.write("# changed since\n")
    with pytest.raises(FixInput, match="the gates have not judged") as refused:
        yard.build()
    assert "magellan gate" in refused.value.next_step
    yard.judge()
    assert not yard.build().was_there


def test_without_any_verdict_or_key_nothing_is_built(yard: Yard, tmp_path: Path) -> None:
    for verdict in yard.desk.workspace.gates_folder(yard.desk.folder).rglob("*.json"):
        verdict.unlink()
    with pytest.raises(FixInput, match="the gates have not judged"):
        yard.build()
    yard.sources = replace(yard.sources, key=ReleaseKeyFile(tmp_path / "none.pem"))
    with pytest.raises(FixInput, match="there is no key") as refused:
        yard.build()
    assert refused.value.next_step == "make one with `magellan release key`"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("notes.md", b"the key is PKABCDEFGHIJKLMNOPQR", "notes.md, line 1: an Alpaca key"),
        ("tests/notes.txt", b"\n0123456789abcdef", "tests/notes.txt, line 2: the value of ALPACA_API_SECRET"),
        ("bars.csv", b"x" * (5 * 1024 * 1024 + 1), "has 5,242,881 bytes"),
    ],
)
def test_secrets_and_data_are_kept_out_and_named_by_place(
    yard: Yard, name: str, content: bytes, said: str
) -> None:
    (yard.desk.folder.path / name).write_bytes(content)
    with pytest.raises(FixInput, match=said) as refused:
        yard.build()
    assert "0123456789abcdef" not in str(refused.value)
    assert yard.sources.store.releases(yard.desk.folder.name) == ()


def test_files_that_change_while_they_are_gathered_are_not_released(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest_verdict = yard.sources.gates.newest_verdict

    def and_somebody_saves(folder: StrategyFolder) -> bytes | None:
        (folder.path / "notes.md").write_text("saved in the middle")
        return newest_verdict(folder)

    monkeypatch.setattr(yard.sources.gates, "newest_verdict", and_somebody_saves)
    with pytest.raises(FixInput, match="changed while the release was built"):
        yard.build()
    assert yard.sources.store.releases(yard.desk.folder.name) == ()


def test_a_link_is_refused(yard: Yard) -> None:
    (yard.desk.folder.path / "shared.py").symlink_to("strategy.py")
    with pytest.raises(FixInput, match="is a link"):
        yard.build()


def test_a_release_that_was_changed_in_the_store_is_found_and_named(yard: Yard) -> None:
    built = yard.build()
    (path,) = (yard.desk.workspace.state_folder / "releases" / yard.desk.folder.name).glob("*.tar")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"A = 1", b"A = 2"))
    assert yard.problems() == [f"{built.stored.name}: engine/magellan/a.py is not what the manifest lists"]
    with pytest.raises(AskOperator, match="is not what the manifest lists"):
        open_release(yard.sources.store, built.stored.strategy, None, trusted_keys=yard.sources.trusted_keys)
    path.write_bytes(content)
    assert yard.problems() == [""]


def test_a_release_under_the_name_of_another_is_found(yard: Yard) -> None:
    yard.build()
    yard.build(author="bob")
    first, second = sorted(
        (yard.desk.workspace.state_folder / "releases" / yard.desk.folder.name).glob("*.tar")
    )
    second.write_bytes(first.read_bytes())
    assert yard.problems()[0] == ""
    assert "holds another release" in yard.problems()[1]


def test_old_releases_go_newest_first_stay_and_nothing_goes_before_it_was_said_to(yard: Yard) -> None:
    built = [yard.build(author=author).stored for author in ("ada", "bob", "cy")]
    store, name = yard.sources.store, built[0].strategy
    assert prune_releases(store, name, keep=1, in_use={built[0].release_id}, really=False) == (built[1],)
    assert store.releases(name) == tuple(built)
    assert prune_releases(store, name, keep=1, in_use={built[0].release_id}, really=True) == (built[1],)
    assert store.releases(name) == (built[0], built[2])


def test_two_releases_are_compared_the_newest_with_the_one_before_by_default(yard: Yard) -> None:
    first = yard.build().stored
    second = yard.build(author="bob").stored
    compared = compare_releases(yard.sources.store, first.strategy, None, None)
    assert (compared.before, compared.after) == (first, second)
    assert [each.what for each in compared.changes] == ["author"]


def test_a_key_that_others_may_read_signs_nothing(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "config" / "release_key.pem").chmod(0o644)
    with pytest.raises(FixInput, match="others may read it"):
        yard.build()
    with pytest.raises(FixInput, match="is there already"):
        ReleaseKeyFile(tmp_path / "config" / "release_key.pem").make()


def test_this_installation_tells_its_own_files_lock_and_commit(tmp_path: Path) -> None:
    this = ThisInstallation()
    files = this.engine_files()
    assert b"def build_release" in files["magellan/usecases/build_release.py"]
    assert not [path for path in files if path.endswith(".pyc") or "/reference/" in path]
    assert b"--hash=sha256:" in this.lock()
    assert this.commit(tmp_path) is None
    for arguments in (
        ("init", "-q"),
        (
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=ada@example.org",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "first",
        ),
    ):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    clean = this.commit(tmp_path)
    assert clean is not None
    assert (len(clean.id), clean.is_clean) == (40, True)
    (tmp_path / "new.py").touch()
    assert this.commit(tmp_path) == replace_clean(clean)


def replace_clean(commit: Commit) -> Commit:
    return Commit(id=commit.id, is_clean=False)
