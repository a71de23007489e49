"""Verify a migration: the tree before it and the tree after it, both in copies, compared point by point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from magellan.errors import FixInput
from magellan.migration.apply_plan import Recorded
from magellan.migration.rewrite.dotted_edits import DottedNames
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.renames import Renames
from magellan.migration.scan.scanned_file import ScannedFile
from magellan.migration.scan.structure import Structure
from magellan.migration.shims import shims_in
from magellan.migration.source_tree import SourceTree
from magellan.migration.verify.before import tree_before
from magellan.migration.verify.comparison import SuiteRun, Verification, compare, compare_tests
from magellan.plan.records import Ending
from magellan.plan.standing import JournalState
from magellan.usecases.migrate_apply import Desk, recorded_of


class Look(Protocol):
    """Looks at a tree, in a copy where anything of it is carried out."""

    def __call__(
        self, which: str, tree: SourceTree, roots: tuple[str, ...], known: Sequence[ScannedFile]
    ) -> tuple[Structure, SuiteRun | None]:
        """Its structure, and what its tests said.

        which: "before" or "after".
        roots: source roots.
        known: files that were looked at already, in the other tree.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was compared, and what came of it."""

    migration_id: str
    verification: Verification


def verify_migration(desk: Desk, tree: SourceTree, look: Look, migration_id: str = "") -> Verified:
    """Compare before and after: the migration of that id, otherwise the newest that stands.

    Raises: FixInput where there is none.
    """
    recorded = _applied(desk, migration_id)
    roots = recorded.source_roots
    before = tree_before(recorded.changes, tree)
    made = [each.path for each in recorded.changes.written if each.before is None]
    renames = Renames(before, recorded.changes.moves, roots, made)
    was, tests_before = look("before", before, roots, ())
    now, tests_after = look("after", tree, roots, was.files)
    checks = compare(was, now, renames, tuple(shims_in(tree)))
    if tests_before is not None and tests_after is not None:
        names = DottedNames(renames, ModuleContents(renames.before, before.read))
        files = {_in_ids(move.source): _in_ids(move.target) for move in recorded.changes.moves}
        new_id = {test: _new_id(test, files, names) for test in tests_before.outcomes}
        checks = (*checks, compare_tests(tests_before, tests_after, new_id))
    return Verified(migration_id=recorded.id, verification=Verification(checks=checks))


def _in_ids(path: str) -> str:
    """A test's file, as the ids of its tests begin, which are counted from the project's folder, `src` and all."""
    return path.removesuffix(".py").replace("/", ".")


def _new_id(test: str, files: Mapping[str, str], names: DottedNames) -> str:
    """The id of a test afterwards: `src.shop.tests.test_bot.TestBot::test_run[shop.regime]`.

    files: the new beginning of ids, by the old one, for every file that moves.
    """
    where, _, name = test.partition("::")
    file = where or name  # of a file that could not be collected there is only `::tests.test_bot`
    known = file
    while known and known not in files:
        known = known.rpartition(".")[0]
    if not known:
        return names.renamed(test)
    moved = files[known] + file[len(known) :]
    return f"{moved}::{names.renamed(name)}" if where else f"::{moved}"


def _applied(desk: Desk, migration_id: str) -> Recorded:
    for entry in reversed(desk.journals.all()):
        recorded = recorded_of(entry.name, desk)
        if recorded is None or (migration_id and recorded.id != migration_id):
            continue
        if JournalState(desk.journals.read(entry.name).records).ending is Ending.DONE:
            return recorded
    what = f"no migration {migration_id}" if migration_id else "no migration"
    raise FixInput(
        f"{what} of {desk.folder} is applied as a whole",
        next_step="`magellan migrate apply --mapping FILE --yes`, or finish the one that was stopped",
    )
