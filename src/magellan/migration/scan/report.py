"""`file_categorization_report.md`: what a scan found, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from magellan.migration.categories.judge import HIGH, SURE, Judged
from magellan.migration.imports import Origin
from magellan.migration.scan.scan import Scan

FILE_NAME: Final = "file_categorization_report.md"
_SHOWN: Final = 40  # rows of a list; file_analysis.json has all of them
_EFFECTS_SHOWN: Final = 25


def summary_rows(scan: Scan) -> list[tuple[str, str]]:
    """What a scan amounts to, as names and values."""
    python, origins = scan.python, scan.origins
    inside = origins[Origin.TREE] + origins[Origin.MISSING]
    rows = [
        ("files", f"{len(scan.files):,}, of them Python {len(python):,}"),
        ("that cannot be parsed", f"{len(scan.broken):,}"),
        (
            "imports",
            f"{sum(origins.values()):,}: "
            + ", ".join(f"{count:,} {name}" for name, count in origins.items()),
        ),
        ("of this tree's own or missing", f"{origins[Origin.TREE]:,} of {inside:,} resolve to a file"),
        ("circles of imports", f"{len(scan.circles):,}"),
        ("the same bytes twice", f"{sum(len(group) - 1 for group in scan.copies):,} files"),
        ("nearly the same", f"{len(scan.near):,} pairs"),
        ("that nothing leads to", f"{len(scan.dead):,} modules"),
        ("do something when imported", f"{sum(bool(file.effects) for file in python):,} modules"),
    ]
    if scan.activation is not None:
        tried = len(scan.activation.tried)
        share = f" ({scan.activation.imported / tried:.1%})" if tried else ""
        rows.append(("can be imported", f"{scan.activation.imported:,} of {tried:,}{share}"))
        if scan.activation.not_tried:
            rows.append(("not tried", f"{len(scan.activation.not_tried):,} modules: the time for all was up"))
    sure = [each for each in scan.judged if each.is_sure]
    high = sum(each.confidence >= HIGH for each in sure)
    rows.append(("categories", f"{len(sure):,} files have one, {high:,} with high confidence"))
    rows.append(("for a person to decide", f"{len(scan.undecided):,} Python files"))
    if others := scan.outside_categories:
        told = ", ".join(f"{count:,} {kind}" for kind, count in others.items())
        rows.append(("of no category", f"{sum(others.values()):,} files: {told}"))
    return rows


def report_text(scan: Scan) -> str:
    """The report as Markdown; the same scan gives the same text."""
    return "\n".join(_lines(scan)) + "\n"


def _lines(scan: Scan) -> Iterator[str]:
    yield "# What is in this tree"
    yield ""
    yield f"Categories: {scan.layout or 'of the rules that were given'}. Everything is in `file_analysis.json`."
    yield ""
    yield "| what | how many |"
    yield "|---|---|"
    yield from (f"| {name} | {value} |" for name, value in summary_rows(scan))
    roots = ", ".join("the tree itself" if not root else f"`{root}`" for root in scan.source_roots)
    yield from ("", f"Imports are counted from {roots}.", "")
    yield from _categories(scan)
    yield from _unsure(scan)
    yield from _activation(scan)
    yield from _list("Files that cannot be parsed", [f"`{f.path}`: {f.problem}" for f in scan.broken])
    yield from _list(
        "Circles of imports", [" → ".join(f"`{path}`" for path in circle) for circle in scan.circles]
    )
    yield from _list("The same bytes", [", ".join(f"`{path}`" for path in group) for group in scan.copies])
    yield from _list(
        "Nearly the same", [f"{pair.share:.0%}: `{pair.one}` and `{pair.other}`" for pair in scan.near]
    )
    yield from _list("Nothing leads to these", [f"`{path}`" for path in scan.dead])
    yield from _list("Started from outside", [f"`{each.path}`: {each.by}" for each in scan.entry_points])
    yield from _effects(scan)
    yield from _missing(scan)
    yield from _list(
        "Found besides",
        [f"`{each.path}` {each.what}" for each in scan.findings if not _is_problem(scan, each.path)],
    )


def _categories(scan: Scan) -> Iterator[str]:
    counts = Counter(each.category for each in scan.judged if each.is_sure)
    high = Counter(each.category for each in scan.judged if each.is_sure and each.confidence >= HIGH)
    yield from (
        "## Categories",
        "",
        "| category | files | high confidence | sub-packages |",
        "|---|---|---|---|",
    )
    for category, count in sorted(counts.items(), key=lambda each: (-each[1], str(each[0]))):
        packages = Counter(
            each.package
            for each in scan.judged
            if each.is_sure and each.category == category and each.package
        )
        told = ", ".join(f"{name} {number}" for name, number in packages.most_common())
        yield f"| {category} | {count} | {high[category]} | {told} |"
    yield ""


def _unsure(scan: Scan) -> Iterator[str]:
    unsure = scan.undecided
    yield from ("## For a person to decide", "")
    if not unsure:
        yield from ("Nothing.", "")
        return
    yield f"Below a confidence of {SURE:.0%} a file stays where it is until somebody says where it belongs."
    yield from ("", "| file | perhaps | or | confidence | why |", "|---|---|---|---|---|")
    shown = sorted(unsure, key=lambda each: (-each.confidence, each.path))
    for each in shown[: 5 * _SHOWN]:
        yield f"| `{each.path}` | {each.category or ''} | {each.instead or ''} | {each.confidence:.0%} | {_why(each)} |"
    yield from (*_more(len(shown), 5 * _SHOWN), "")


def _activation(scan: Scan) -> Iterator[str]:
    if scan.activation is None:
        return
    yield from ("## What cannot be imported", "", f"How it was tried: {scan.activation.isolation.means}.", "")
    yield from _list("Not tried, since the time was up", [f"`{path}`" for path in scan.activation.not_tried])
    found = scan.activation.causes
    if not found:
        yield from ("Everything that was tried can be imported.", "")
        return
    yield from ("| breaks | cause | what to do | for example |", "|---|---|---|---|")
    for each in found[:_SHOWN]:
        yield f"| {len(each.breaks)} | {_cell(each.what)} | {each.next_step} | `{each.breaks[0]}` |"
    yield from (*_more(len(found), _SHOWN), "")


def _effects(scan: Scan) -> Iterator[str]:
    rows = [
        f"`{file.path}`: "
        + "; ".join(f"{each.kind}: {each.what}, line {each.line}" for each in file.effects[:3])
        for file in sorted(scan.python, key=lambda file: (-len(file.effects), file.path))
        if file.effects
    ]
    yield from _list("What happens on import", rows, _EFFECTS_SHOWN)


def _missing(scan: Scan) -> Iterator[str]:
    needed: dict[str, set[str]] = {}
    for file in scan.python:
        for target in file.imports:
            if target.origin is Origin.MISSING:
                needed.setdefault(target.name.partition(".")[0] or target.name, set()).add(file.path)
    rows = sorted(needed.items(), key=lambda each: (-len(each[1]), each[0]))
    yield from _list("Missing modules", [f"`{name}`, for {len(paths)} files" for name, paths in rows])


def _list(title: str, rows: Sequence[str], shown: int = _SHOWN) -> Iterator[str]:
    if rows:
        yield from (f"## {title}", "")
        yield from (f"- {row}" for row in rows[:shown])
        yield from (*_more(len(rows), shown), "")


def _more(count: int, shown: int) -> Iterable[str]:
    return (["", f"And {count - shown} more, in `file_analysis.json`."]) if count > shown else []


def _is_problem(scan: Scan, path: str) -> bool:
    return any(file.path == path for file in scan.broken)


def _why(judged: Judged) -> str:
    return "; ".join(judged.reasons)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
