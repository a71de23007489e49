"""Review files: what a person has to decide, with both versions, their callers and their tests."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from magellan.migration.merge.account import Conflict, Outcome, Side
from magellan.migration.merge.merged_tree import ACTION, FileRelation, MergedFile, MergedTree
from magellan.migration.scan.file_kind import is_test
from magellan.migration.source_tree import SourceTree

REPORT: Final = "merge_report.md"
_USES_SHOWN: Final = 12
_WHOLE: Final = ".source"
"""How the name of a file ends that is the source's whole, waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A line on which a name is said."""

    side: Side
    path: str
    line: int
    text: str


def review_files(merged: MergedTree, source: SourceTree, target: SourceTree) -> Mapping[str, bytes]:
    """Files by path below the review folder: a page per file with conflicts; whole files that wait."""
    waiting = [file for file in merged.files if file.conflicts]
    names = {name for file in waiting for conflict in file.conflicts for name in _names(conflict)}
    uses = {Side.SOURCE: _uses(source, names, Side.SOURCE), Side.TARGET: _uses(target, names, Side.TARGET)}
    found: dict[str, bytes] = {}
    for file in waiting:
        text = "\n".join(_page(file, uses)) + "\n"
        found[f"{file.path}.md"] = text.encode("utf-8", "backslashreplace")
        if file.whole_source is not None:
            found[f"{file.path}{_WHOLE}"] = file.whole_source
    return found


def report_text(merged: MergedTree) -> str:
    """The account of the whole merge, as Markdown."""
    return "\n".join(_report(merged)) + "\n"


def account_rows(merged: MergedTree) -> list[tuple[str, int, int]]:
    """(what became of them, definitions of the source, of the target)."""
    counts = merged.outcomes()
    return [(str(outcome), counts[Side.SOURCE, outcome], counts[Side.TARGET, outcome]) for outcome in Outcome]


def _report(merged: MergedTree) -> Iterator[str]:
    yield from ("# What becomes of both trees", "", "| files | | what happens |", "|---|---|---|")
    for relation in FileRelation:
        count = sum(file.relation is relation for file in merged.files)
        if count:
            yield f"| {count} | {relation} | {ACTION[relation]} |"
    yield from ("", "## The account of definitions", "", "| | source | target |", "|---|---|---|")
    rows = account_rows(merged)
    yield from (f"| {name} | {mine} | {theirs} |" for name, mine, theirs in rows)
    yield f"| together | {sum(row[1] for row in rows)} | {sum(row[2] for row in rows)} |"
    yield from (
        "",
        "Nothing is lost: every definition was looked for again, in the result and in the review files.",
    )
    for relation in FileRelation:
        files = [file for file in merged.files if file.relation is relation]
        if not files or relation in (FileRelation.TARGET_ONLY, FileRelation.IDENTICAL):
            continue
        yield from ("", f"## {str(relation).capitalize()}", "")
        for file in files:
            more = f": the target has it in `{file.other_path}`" if file.other_path else ""
            yield f"- `{file.path}`{more}"
            for conflict in file.conflicts:
                yield f"  - waits: {conflict.key or 'the whole file'}: {conflict.why}"
            for note in file.notes:
                yield f"  - {note}"


def _page(file: MergedFile, uses: Mapping[Side, Mapping[str, Sequence[Use]]]) -> Iterator[str]:
    yield f"# {file.path}"
    yield ""
    yield "The target's version stands until somebody decides. Delete this file when everything in it is decided."
    for conflict in file.conflicts:
        yield from ("", f"## {conflict.key or 'The whole file'}", "", f"{_sentence(conflict.why)}.", "")
        if file.whole_source is not None:
            yield f"The source's version lies beside this file, as `{file.path.rpartition('/')[2]}{_WHOLE}`."
            yield ""
        told = (("Target", conflict.target), ("Source", conflict.source), ("Common ancestor", conflict.base))
        for title, text in told:
            if text:
                yield from (f"### {title}", "", *_fenced(text), "")
        if conflict.source and conflict.target:
            yield from (
                "### From the target's to the source's",
                "",
                *_fenced(_difference(conflict), "diff"),
                "",
            )
        yield from _said(conflict, uses)


def _said(conflict: Conflict, uses: Mapping[Side, Mapping[str, Sequence[Use]]]) -> Iterator[str]:
    found = [use for name in _names(conflict) for side in Side for use in uses[side].get(name, ())]
    for title, some in (
        ("Callers", [use for use in found if not is_test(use.path)]),
        ("Tests", [use for use in found if is_test(use.path)]),
    ):
        if some:
            yield from (f"### {title}", "")
            yield from (
                f"- {use.side}, `{use.path}`, line {use.line}: `{use.text.replace('`', ' ')}`"
                for use in some[:_USES_SHOWN]
            )
            if len(some) > _USES_SHOWN:
                yield f"- and {len(some) - _USES_SHOWN} more"
            yield ""


def _fenced(text: str, language: str = "python") -> Iterator[str]:
    fence = "```"
    while fence in text:
        fence += "`"
    yield from (f"{fence}{language}", text.rstrip("\n"), fence)


def _names(conflict: Conflict) -> list[str]:
    """The names by which others would call what is in conflict."""
    last = conflict.key.rpartition(".")[2].partition("#")[0]
    return [name for name in last.split(", ") if name.isidentifier()]


def _uses(tree: SourceTree, names: set[str], side: Side) -> Mapping[str, list[Use]]:
    if not names:
        return {}
    pattern = re.compile(rb"\b(?:" + b"|".join(re.escape(name.encode()) for name in sorted(names)) + rb")\b")
    found: dict[str, list[Use]] = {}
    for path in tree.python_files:
        for number, line in enumerate(tree.read(path).splitlines(), start=1):
            for name in {each.decode() for each in pattern.findall(line)}:
                stripped = line.strip().decode("utf-8", "replace")
                if not re.match(rf"(?:async def|def|class)\s+{name}\b|{name}\s*(?::[^=]+)?=", stripped):
                    found.setdefault(name, []).append(
                        Use(side=side, path=path, line=number, text=stripped[:160])
                    )
    return found


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _difference(conflict: Conflict) -> str:
    """What differs between the two versions, as a unified diff from the target's to the source's."""
    lines = difflib.unified_diff(
        conflict.target.splitlines(), conflict.source.splitlines(), "target", "source", lineterm=""
    )
    return "\n".join(lines)
