"""Two trees made one, file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from magellan.migration.encoding import Text, plain_text, python_text
from magellan.migration.merge.account import (
    Conflict,
    Decision,
    Lost,
    Outcome,
    Side,
    definitions_of,
    lost_definitions,
    unaccounted,
)
from magellan.migration.merge.imports_united import unused_imports
from magellan.migration.merge.merged_tree import FileRelation, MergedFile, MergedTree
from magellan.migration.merge.module_merge import merge_modules
from magellan.migration.merge.pieces import cut
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import Kind

BaseOf = Callable[[str], bytes | None]
"""The content of a path in the common ancestor; None where there is none."""


def merge_trees(
    source: SourceTree,
    target: SourceTree,
    base_of: BaseOf,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> MergedTree:
    """Decide what becomes of every file. Nothing is written."""
    mine, theirs = set(source.files), set(target.files)
    by_content: dict[bytes, str] = {}
    for path in sorted(theirs - mine):
        if target.entries[path].size:
            by_content.setdefault(target.read(path), path)
    folded = {path.casefold(): path for path in target.entries}
    files, lost = [], []
    paths = sorted(mine | theirs)
    for number, path in enumerate(paths, start=1):
        if path not in mine:
            files.append(_only(path, target.read(path), FileRelation.TARGET_ONLY, Side.TARGET))
        elif path not in theirs:
            files.append(_source_only(path, source, target, by_content, folded))
        else:
            merged, gone = _both(path, source, target, base_of)
            files.append(merged)
            lost += [(path, each) for each in gone]
        on_progress(number, len(paths))
    files += _links(source, target)
    return MergedTree(files=tuple(sorted(files, key=lambda file: file.path)), lost=tuple(lost))


def _source_only(
    path: str, source: SourceTree, target: SourceTree, by_content: dict[bytes, str], folded: dict[str, str]
) -> MergedFile:
    content = source.read(path)
    renamed = by_content.get(content)
    if renamed is not None:
        decisions = _decisions(content, path, Side.SOURCE, Outcome.RENAMED, f"the target has it in {renamed}")
        return MergedFile(path=path, relation=FileRelation.RENAMED, other_path=renamed, decisions=decisions)
    taken = folded.get(path.casefold()) or next(
        (
            above
            for above in _above(path)
            if above in target.entries and target.entries[above].kind is not Kind.FOLDER
        ),
        None,
    )
    if taken is not None:
        why = f"the target has {taken} in its place"
        return _waiting(path, content, b"", b"", why)
    namesake = _namesake(path, source, target)
    if namesake is not None:
        why = f"the target has {namesake}, and Python would find only one of the two by that name"
        return _waiting(path, content, b"", b"", why)
    merged = _only(path, content, FileRelation.SOURCE_ONLY, Side.SOURCE)
    return MergedFile(
        path=path,
        relation=FileRelation.SOURCE_ONLY,
        result=content,
        mode=source.entries[path].mode,
        decisions=merged.decisions,
    )


def _namesake(path: str, source: SourceTree, target: SourceTree) -> str | None:
    """The target's `pkg.py` beside the source's package `pkg`, or the other way round, unless the source has both."""
    if not path.endswith(".py"):
        return None
    others = [f"{above}.py" for above in _above(path)] + [f"{path.removesuffix('.py')}/__init__.py"]
    return next((each for each in others if each in target.entries and each not in source.entries), None)


def _above(path: str) -> Iterable[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _only(path: str, content: bytes, relation: FileRelation, side: Side) -> MergedFile:
    return MergedFile(
        path=path, relation=relation, decisions=_decisions(content, path, side, Outcome.KEPT, str(relation))
    )


def _both(
    path: str, source: SourceTree, target: SourceTree, base_of: BaseOf
) -> tuple[MergedFile, tuple[Lost, ...]]:
    mine, theirs = source.read(path), target.read(path)
    if mine == theirs:
        decisions = tuple(
            each
            for side in Side
            for each in _decisions(mine, path, side, Outcome.KEPT, str(FileRelation.IDENTICAL))
        )
        return MergedFile(path=path, relation=FileRelation.IDENTICAL, decisions=decisions), ()
    base = base_of(path)
    mode = target.entries[path].mode
    if base == theirs and not _gone(theirs, mine, path):
        result = MergedFile(
            path=path,
            relation=FileRelation.SOURCE_CONTAINS,
            result=mine,
            mode=mode,
            decisions=_of_both(mine, theirs, path, "only the source changed the file"),
            notes=("only the source changed the file since the common ancestor",),
        )
        return result, ()
    if base == mine and not _gone(mine, theirs, path):
        return MergedFile(
            path=path,
            relation=FileRelation.TARGET_CONTAINS,
            decisions=_of_both(mine, theirs, path, "only the target changed the file"),
            notes=("only the target changed the file since the common ancestor",),
        ), ()
    if not path.endswith((".py", ".pyi", ".pyw")):
        return _waiting(path, mine, theirs, base or b"", "both have it, and differently"), ()
    return _modules(path, mine, theirs, base, mode)


def _gone(before: bytes, after: bytes, path: str) -> set[str]:
    """Definitions that one side took away since the ancestor, which the other still has: they are looked at singly."""
    keys = [
        {each.key for each in _decisions(content, path, Side.SOURCE, Outcome.KEPT, "")}
        for content in (before, after)
    ]
    return {key for key in keys[0] - keys[1] if not key.startswith("line ")}


def _of_both(mine: bytes, theirs: bytes, path: str, why: str) -> tuple[Decision, ...]:
    return (
        *_decisions(mine, path, Side.SOURCE, Outcome.KEPT, why),
        *_decisions(theirs, path, Side.TARGET, Outcome.KEPT, why),
    )


def _modules(
    path: str, mine: bytes, theirs: bytes, base: bytes | None, mode: int
) -> tuple[MergedFile, tuple[Lost, ...]]:
    own, others = python_text(mine), python_text(theirs)
    ancestor = python_text(base) if base is not None else None
    if own is None or others is None:
        why = "one of them is no text in the encoding that it declares"
        return _waiting(path, mine, theirs, base or b"", why), ()
    try:
        source, target = cut(_str(own)), cut(_str(others))
    except (SyntaxError, ValueError) as error:
        why = f"one of them has a syntax error: {error}"
        return _waiting(path, mine, theirs, base or b"", why), ()
    before = None
    if ancestor is not None:
        try:
            cut(before := _str(ancestor))
        except (SyntaxError, ValueError):
            before = None
    merged = merge_modules(_str(own), _str(others), before)
    try:
        result = others.with_utf8(merged.text.encode()).encoded()
        cut(merged.text)
    except (UnicodeEncodeError, SyntaxError) as error:
        why = f"put together they are no valid module: {error}"
        return _waiting(path, mine, theirs, base or b"", why), ()
    lost = (
        *lost_definitions(
            source,
            target,
            merged.text,
            merged.conflicts,
            merged.decisions,
            None if before is None else cut(before),
        ),
        *unaccounted(source, target, merged.decisions),
    )
    already = set(unused_imports(_str(own))) | set(unused_imports(_str(others)))
    unused = [name for name in unused_imports(merged.text) if name not in already]
    notes = [*merged.notes, *([f"unused now: {', '.join(unused)}"] if unused else [])]
    return MergedFile(
        path=path,
        relation=_relation(merged.decisions, bool(merged.conflicts), changed=result != theirs),
        result=result if result != theirs else None,
        mode=mode,
        decisions=merged.decisions,
        conflicts=merged.conflicts,
        notes=tuple(notes),
    ), lost


def _relation(decisions: Sequence[Decision], waits: bool, *, changed: bool) -> FileRelation:
    if waits:
        return FileRelation.CONFLICTING
    own = {each.key for each in decisions if each.side is Side.SOURCE}
    others = {each.key for each in decisions if each.side is Side.TARGET}
    if not changed:
        return FileRelation.SAME if others <= own else FileRelation.TARGET_CONTAINS
    if not own & others:
        return FileRelation.DISJOINT
    return FileRelation.SOURCE_CONTAINS if others <= own else FileRelation.UNITED


def _waiting(path: str, mine: bytes, theirs: bytes, base: bytes, why: str) -> MergedFile:
    conflict = Conflict(key="", why=why, source=_shown(mine), target=_shown(theirs), base=_shown(base))
    decisions = [
        *_decisions(mine, path, Side.SOURCE, Outcome.WAITING, why),
        *_decisions(theirs, path, Side.TARGET, Outcome.WAITING, why),
    ]
    return MergedFile(
        path=path,
        relation=FileRelation.CONFLICTING,
        decisions=tuple(decisions),
        conflicts=(conflict,),
        whole_source=mine,
    )


def _links(source: SourceTree, target: SourceTree) -> list[MergedFile]:
    """Links of the source that the target lacks, or that lead elsewhere there: a person makes them."""
    found = []
    for path, entry in source.entries.items():
        if entry.kind is not Kind.LINK:
            continue
        there = target.entries.get(path)
        if there is not None and there.kind is Kind.LINK and there.points_at == entry.points_at:
            continue
        points_at = entry.points_at.encode("utf-8", "backslashreplace").decode()
        conflict = Conflict(
            key="", why="the source has a link here", source=f"link to {points_at}\n", target=""
        )
        found.append(MergedFile(path=path, relation=FileRelation.CONFLICTING, conflicts=(conflict,)))
    return found


def _decisions(content: bytes, path: str, side: Side, outcome: Outcome, why: str) -> tuple[Decision, ...]:
    """One per definition of a Python file; none for what is no Python, or cannot be parsed."""
    text = python_text(content) if path.endswith(".py") else None
    if text is not None:
        try:
            keys = [key for key, _ in definitions_of(cut(_str(text)))]
        except (SyntaxError, ValueError):
            keys = []
        return tuple(Decision(side=side, key=key, outcome=outcome, why=why) for key in keys)
    return ()


def _str(text: Text) -> str:
    return text.utf8.decode()


def _shown(content: bytes) -> str:
    text = plain_text(content)
    return _str(text) if text is not None else f"{len(content):,} bytes that are no text in UTF-8"
