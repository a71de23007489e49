"""What a person should look at before a migration is applied."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from magellan.migration.change_set import Migration, WrittenFor
from magellan.migration.module_names import is_init
from magellan.migration.rewrite.reference import ReferenceKind
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import Kind, folder_of

_PLACES_SHOWN = 5
_HEADING_LINE: Final = re.compile(rb"([=\-`:.'\"~^_*+#<>])\1{3,}")
_MACHINE_CODE: Final = (".so", ".pyd")
_MACHINE_CODE_MAX: Final = 64 * 1024 * 1024  # bytes
_OF_PYTEST: Final = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
_WARNINGS_FAIL: Final = re.compile(rb"^\s*filterwarnings\s*=[\s\[]*[\"']?error\b", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """Something that may behave differently afterwards."""

    what: str
    places: tuple[str, ...]  # files, with a line where there is one
    advice: str = ""


def risks_of(tree: SourceTree, migration: Migration, is_installed: Callable[[str], bool]) -> tuple[Risk, ...]:
    """Everything that is known to go wrong in migrations and could in this one.

    is_installed: whether a top-level name can be imported from what is installed.
    """
    return tuple(
        risk
        for risk in (
            *_left_alone(migration),
            *_unread(tree, migration),
            *_compiled(tree, migration),
            *_shadowing(migration, is_installed),
            *_stubs(tree, migration),
            *_new_surroundings(tree, migration),
            *_settings(tree, migration),
            *_headings(migration),
            *_shims_as_tests(tree, migration),
        )
        if risk.places
    )


def _left_alone(migration: Migration) -> Iterator[Risk]:
    places: dict[tuple[ReferenceKind, bool], list[str]] = {}
    put_together = []
    for path, each in migration.rewriting.left():
        place = f"{path}:{each.line}: {each.old}"
        if each.old.endswith("."):
            put_together.append(place)
            continue
        off = each.kind in migration.rewriting.options.off
        places.setdefault((each.kind, off), []).append(place)
    yield Risk(
        what="names are put together behind a package that modules leave",
        places=tuple(put_together),
        advice="keep the shims, or mend what loads them by such a name",
    )
    for (kind, off), found in sorted(places.items()):
        if off:
            yield Risk(what=f"references of the kind {kind} are left as they are", places=tuple(found))
        elif kind is ReferenceKind.FILE_ARITHMETIC:
            yield Risk(
                what="paths are counted from a file that moves",
                places=tuple(found),
                advice="look at each: folders above it are others now",
            )
        elif kind is ReferenceKind.IMPORT:
            yield Risk(
                what="imports name modules that go where they cannot be imported",
                places=tuple(found),
                advice="let the names of files and folders be names of Python's",
            )
        elif kind is ReferenceKind.PICKLE:
            yield Risk(
                what="pickled objects name modules that move",
                places=tuple(found),
                advice="keep the shims, or write them again",
            )
        else:
            yield Risk(
                what=f"probable references of the kind {kind} are left as they are",
                places=tuple(found),
                advice=f"read them; `--change-probable '{kind}'` changes them",
            )


def _unread(tree: SourceTree, migration: Migration) -> Iterator[Risk]:
    problems = [f"{path}: {each.problem}" for path, each in migration.rewriting.files.items() if each.problem]
    yield Risk(
        what="files are broken: their import statements are rewritten where they can be read, nothing else",
        places=tuple(problems),
    )
    yield Risk(
        what="folders cannot be looked into",
        places=tuple(f"{path}: {why}" for path, why in tree.unreadable.items()),
    )


def _compiled(tree: SourceTree, migration: Migration) -> Iterator[Risk]:
    """Machine code looks modules up by the names that its source said when it was built."""
    names = [name.encode() for name in migration.renames.modules if "." in name]
    found = []
    for path, entry in tree.entries.items():
        if entry.kind is Kind.FILE and path.endswith(_MACHINE_CODE) and entry.size <= _MACHINE_CODE_MAX:
            code = _read(tree, path)
            found += [f"{path}: {name.decode()}" for name in names if _says(code, name)]
    yield Risk(
        what="compiled modules say names that move",
        places=tuple(found),
        advice="build them anew once it is done; until then they need the shims",
    )


def _read(tree: SourceTree, path: str) -> bytes:
    """Its content; nothing where it cannot be read, which is said of every such file elsewhere."""
    try:
        return tree.read(path)
    except OSError:
        return b""


def _says(code: bytes, name: bytes) -> bool:
    return name in code and re.search(rb"(?<![\w.])" + re.escape(name) + rb"(?!\w)", code) is not None


def _shadowing(migration: Migration, is_installed: Callable[[str], bool]) -> Iterator[Risk]:
    before = {name.partition(".")[0] for name, _ in migration.renames.before.modules}
    after = {name.partition(".")[0] for name, _ in migration.renames.after.modules}
    new = sorted(after - before)
    yield Risk(
        what="new names at the top hide modules of Python's own library",
        places=tuple(name for name in new if name in sys.stdlib_module_names),
        advice="choose other names",
    )
    yield Risk(
        what="new names at the top are names of installed packages too",
        places=tuple(name for name in new if name not in sys.stdlib_module_names and is_installed(name)),
        advice="choose other names, or make sure that the project itself is not what is installed",
    )


def _stubs(tree: SourceTree, migration: Migration) -> Iterator[Risk]:
    moved = migration.renames.paths
    yield Risk(
        what="a stub stays behind while its module moves",
        places=tuple(
            f"{path}i"
            for path in moved
            if path.endswith(".py") and f"{path}i" in tree.entries and f"{path}i" not in moved
        ),
        advice="move it too",
    )


def _new_surroundings(tree: SourceTree, migration: Migration) -> Iterator[Risk]:
    conftests, scripts, effects = [], [], set()
    for source, target in migration.renames.paths.items():
        entry = tree.entries[source]
        if folder_of(source) == folder_of(target) or entry.kind is not Kind.FILE:
            continue
        if source.rpartition("/")[2] == "conftest.py":
            conftests.append(source)
        if source.endswith(".py") and b"__main__" in tree.read(source):
            scripts.append(f"{source} -> {target}")
        package = f"{folder_of(target)}/__init__.py"
        known = tree.entries.get(package)
        if (
            known is not None
            and known.size
            and not is_init(target)
            and package not in migration.renames.paths
        ):
            effects.add(package)
    yield Risk(
        what="fixtures of a moved conftest.py apply to the tests of its new folder",
        places=tuple(conftests),
    )
    yield Risk(
        what="programs lie in another folder: run by their path, they look for modules there",
        places=tuple(scripts),
        advice="start them as `python -m name` from the root",
    )
    yield Risk(
        what="what moves into these packages is imported after their `__init__.py` has run",
        places=tuple(sorted(effects)),
        advice="a circle of imports may close",
    )


def _settings(tree: SourceTree, migration: Migration) -> Iterator[Risk]:
    """Settings that list packages one by one do not know of new ones."""
    made = [each.path for each in migration.changes.written_for(WrittenFor.PACKAGE)]
    if not made:
        return
    found = []
    for path in ("setup.py", "setup.cfg", "pyproject.toml"):
        entry = tree.entries.get(path)
        if entry is None or entry.kind is not Kind.FILE:
            continue
        section = b""
        for number, line in enumerate(tree.read(path).splitlines(), start=1):
            section = line.strip() if line.startswith(b"[") else section
            if path == "pyproject.toml" and not section.startswith(b"[tool.setuptools"):
                continue  # other builders take a package with all that is in it
            words = line.split(b"=")[0].strip().strip(b'"').replace(b"-", b"_")
            if words in (b"packages", b"py_modules") and b"find" not in line:
                found.append(f"{path}:{number}: {line.strip().decode(errors='replace')[:80]}")
    yield Risk(
        what="packages are listed one by one, and new ones are made",
        places=tuple(found),
        advice=f"add {', '.join(folder_of(path) for path in made[:_PLACES_SHOWN])}",
    )


def _headings(migration: Migration) -> Iterator[Risk]:
    """A heading in reStructuredText that a longer name makes longer than its line; the line is left as it is."""
    found = []
    for each in migration.rewriting.changed:
        if each.path.endswith(".rst"):
            known = {title for _, title in _beyond_their_lines(each.before)}
            found += [
                f"{migration.renames.new_path(each.path)}:{number}: {title.decode(errors='replace')}"
                for number, title in _beyond_their_lines(each.after)
                if title not in known
            ]
    yield Risk(
        what="headings are longer than the line below them then",
        places=tuple(found),
        advice="make the line longer: Sphinx warns, and fails where warnings are errors",
    )


def _beyond_their_lines(text: bytes) -> Iterator[tuple[int, bytes]]:
    lines = [line.rstrip() for line in text.splitlines()]
    for number, (title, below) in enumerate(pairwise(lines), start=1):
        if (
            _HEADING_LINE.fullmatch(below)
            and title[:1].strip()
            and len(title.decode(errors="replace")) > len(below)
        ):
            yield number, title


def _shims_as_tests(tree: SourceTree, migration: Migration) -> Iterator[Risk]:
    """A shim that pytest imports by itself warns, and a project may have warnings fail its tests."""
    if not migration.shims:
        return
    found = []
    for path in _OF_PYTEST:
        entry = tree.entries.get(path)
        if entry is None or entry.kind is not Kind.FILE:
            continue
        text = tree.read(path)
        for number, line in enumerate(text.splitlines(), start=1):
            if b"--doctest-modules" in line and _WARNINGS_FAIL.search(text):
                found.append(f"{path}:{number}: {line.strip().decode(errors='replace')[:80]}")
    yield Risk(
        what="pytest imports every module for its doctests, shims too, and their warnings count as errors",
        places=tuple(found),
        advice="`--no-shims`, or let filterwarnings pass over DeprecationWarning",
    )


def kinds_changed(migration: Migration) -> Counter[ReferenceKind]:
    """How many references of each kind are rewritten."""
    return Counter(
        each.kind
        for file in migration.rewriting.files.values()
        for each in file.references
        if migration.rewriting.options.applies_to(each)
    )
