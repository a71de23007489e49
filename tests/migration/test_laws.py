"""Laws of rewriting, over trees that chance has made."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.migration.change_set import Choices, migration_of
from magellan.migration.mapping import file_moves
from magellan.migration.rewrite.reference import RewriteOptions
from magellan.migration.rewrite.renames import Renames
from magellan.migration.rewrite.rewriter import rewrite
from magellan.migration.source_tree import SourceTree
from migration.random_trees import RandomTree, met_in, random_tree
from migration.tree_lab import mapping_of

SEEDS = st.integers(0, 100_000)


def applied(files: Mapping[str, bytes], moves: Mapping[str, str], *, shims: bool = False) -> dict[str, bytes]:
    """The files as they are after the migration; in memory."""
    choices = Choices(rewriting=RewriteOptions(), shims=shims, shims_expire_on=date(2027, 1, 1))
    changes = migration_of(SourceTree.of(files), mapping_of(moves), choices, name="mapping").changes
    after = {moves.get(path, path): content for path, content in files.items()}
    for each in changes.written:
        after[each.path] = each.after
    return after


def on_disk(files: Mapping[str, bytes], root: Path) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def new_name(name: str, tree: RandomTree) -> str:
    path = f"{name.replace('.', '/')}.py"
    return tree.moves.get(path, path).removesuffix(".py").replace("/", ".")


@given(seed=SEEDS)
@settings(max_examples=12, deadline=None)
def test_after_any_moves_every_module_meets_the_same_objects(seed: int) -> None:
    tree = random_tree(seed)
    with tempfile.TemporaryDirectory() as before, tempfile.TemporaryDirectory() as after:
        on_disk(tree.files, Path(before))
        on_disk(applied(tree.files, tree.moves), Path(after))
        met = met_in(Path(before), list(tree.modules))
        assert "Error" not in met
        assert met_in(Path(after), [new_name(name, tree) for name in tree.modules]) == met


@given(seed=SEEDS)
@settings(max_examples=6, deadline=None)
def test_with_shims_the_old_names_give_the_same_objects_too(seed: int) -> None:
    tree = random_tree(seed)
    with tempfile.TemporaryDirectory() as before, tempfile.TemporaryDirectory() as after:
        on_disk(tree.files, Path(before))
        on_disk(applied(tree.files, tree.moves, shims=True), Path(after))
        assert met_in(Path(after), list(tree.modules)) == met_in(Path(before), list(tree.modules))


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_rewriting_twice_is_rewriting_once(seed: int) -> None:
    tree = random_tree(seed)
    once = applied(tree.files, tree.moves)
    stayed = {path: once[path] for path in tree.files if path not in tree.moves}
    again = SourceTree.of({**tree.files, **stayed})
    made = [path for path in once if path not in tree.files]
    moves = file_moves(mapping_of(tree.moves), SourceTree.of(tree.files), name="mapping")
    found = rewrite(again, Renames(again, moves, ("",), made))
    assert [each.path for each in found.changed if each.path in stayed] == []


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_the_inverse_mapping_leads_back_to_every_byte(seed: int) -> None:
    tree = random_tree(seed, tops=1, splits=False)
    there = applied(tree.files, tree.moves)
    back = applied(there, {target: source for source, target in tree.moves.items()})
    assert {path: back[path] for path in tree.files} == dict(tree.files)
    assert all(path.endswith("__init__.py") and not back[path] for path in back.keys() - tree.files.keys())
