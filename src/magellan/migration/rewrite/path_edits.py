"""Paths of moved files in any text, from the tree's root or from the folder of the file that says them."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from magellan.migration.rewrite.reference import Edit, Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source import Source, Span
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import folder_of

_PATH: Final = re.compile(
    rb"(?<![\w/.$%{}~@\x80-\xff-])(?:\.{1,2}/)*\.?[\w\x80-\xff-][\w.\x80-\xff-]*(?:/[\w.\x80-\xff-]+)*"
)

_ELSEWHERE: Final = re.compile(
    rb"(?<![\w/.$%{}~@\x80-\xff-])(?!//)(?:[~$%][\w{}]*|(?<![{$])\{[\w.]+\}|\$\([\w]+\))?(?:/[\w.\x80-\xff-]+)+"
)
"""A path that begins outside of the tree: "/opt/bot/run.py", "~/bot/run.py", "$HOME/bot/run.py", "%h/bot/run.py"."""
_ELSEWHERE_NOTE: Final = "on another machine, perhaps: its end is the path of a file that moves"

_PAGE: Final = re.compile(
    rb"://[^\s\"'<>()/]+/[^\s\"'<>()]*?/(?:blob|tree|raw|edit|blame)/[^\s\"'<>()/]+/(?P<path>[\w.\x80-\xff/-]+)"
)
"""A file on a forge: "https://example.org/ada/shop/blob/main/shop/regime.py"."""
_ESCAPED: Final = re.compile(rb"(?<![\w./\\-])(?:[\w-]+/)*[\w-]+(?:\\\.\w+)+(?![\w/])")
"""A path in a regular expression: "shop/regime\\.py"."""
_WINDOWS: Final = re.compile(rb"(?<![\w.:/\\-])(?:\.\\{1,2})?[\w-][\w.-]*(?:\\{1,2}[\w.-]+)+")
_PATTERN: Final = re.compile(rb"(?<![\w/.*?-])(?:[\w.*?-]+/)*[\w.*?-]+")
_PATTERN_NOTE: Final = "a pattern that finds it where it is, and not where it goes"


class Paths:
    """Finds paths of what moves."""

    def __init__(self, renames: Renames, tree: SourceTree) -> None:
        self._renames = renames
        self._tree = tree
        self._leaves = {path.rpartition("/")[2].encode() for path in (*renames.paths, *renames.folders)}
        self._folder_names = {folder.rpartition("/")[2].encode() for folder in renames.folders}
        counts = Counter(path.rpartition("/")[2] for path in tree.files)
        self._unique = {name for name, count in counts.items() if count == 1}
        self._by_end = _by_end(renames.paths)

    def in_text(
        self, utf8: bytes, span: Span, source: Source, path: str, kind: ReferenceKind, *, bare: bool
    ) -> Iterator[Reference]:
        """Paths in that part of the text of the file at `path`. bare: whether a name without "/" is surely a path."""
        moves = path in self._renames.paths and kind is ReferenceKind.PATH
        for found in _PATH.finditer(utf8, span.start, span.end):
            said = found[0].rstrip(b".")
            leaf = said.rpartition(b"/")[2]
            if (
                leaf not in self._leaves
                and not (moves and b"/" in said)
                and not any(part in self._folder_names for part in said.split(b"/")[:-1])
            ):
                continue
            reference = self._reference(said.decode(), found.start(), path, source, kind, bare=bare)
            if reference is not None:
                yield reference
        for found in _ELSEWHERE.finditer(utf8, span.start, span.end):
            if found[0].rstrip(b".").rpartition(b"/")[2] in self._leaves:
                yield from self._elsewhere(found[0].rstrip(b".").decode(), found.start(), path, source, kind)
        if utf8.find(b"://", span.start, span.end) >= 0:
            yield from self._on_pages(utf8, span, source, kind)
        if utf8.find(b"\\", span.start, span.end) >= 0:
            yield from self._with_backslashes(utf8, span, source, kind)
        if utf8.find(b"*/", span.start, span.end) >= 0:
            yield from self._patterns(utf8, span, source, kind)

    def _with_backslashes(
        self, utf8: bytes, span: Span, source: Source, kind: ReferenceKind
    ) -> Iterator[Reference]:
        """Paths in regular expressions, and those of Windows, which are only probable."""
        for found in _ESCAPED.finditer(utf8, span.start, span.end):
            said = found[0].decode()
            moved = self._moved(said.replace("\\.", "."))
            if moved is not None:
                new = moved.replace(".", "\\.")
                certain = "/" in said and kind is ReferenceKind.PATH
                yield _said_anew(said, new, found.start(), source, kind, certain=certain)
        for found in _WINDOWS.finditer(utf8, span.start, span.end):
            said = found[0].decode()
            slash = "\\\\" if "\\\\" in said else "\\"
            plain = said.replace(slash, "/")
            moved = self._moved(plain.removeprefix("./"))
            if moved is not None:
                dots = "./" if plain.startswith("./") else ""
                new = (dots + moved).replace("/", slash)
                yield _said_anew(said, new, found.start(), source, kind, certain=False)

    def _patterns(self, utf8: bytes, span: Span, source: Source, kind: ReferenceKind) -> Iterator[Reference]:
        """`*/regime.py`: nobody can say what it shall be then."""
        for found in _PATTERN.finditer(utf8, span.start, span.end):
            parts = found[0].split(b"/")
            if b"*" not in found[0] or not any(part in self._leaves for part in parts):
                continue
            said = found[0].decode()
            if self._moved(said.partition("*")[0].rpartition("/")[0]):
                continue  # its folder is rewritten as a path
            inner = said.removeprefix("**/")  # any folders, and none
            meant = [
                path for path in self._renames.paths if fnmatchcase(path, said) or fnmatchcase(path, inner)
            ]
            if any(not fnmatchcase(self._renames.paths[path], said) for path in meant):
                yield Reference(
                    kind=kind,
                    line=source.line_of(found.start()),
                    old=said,
                    new="",
                    certain=False,
                    note=_PATTERN_NOTE,
                )

    def _elsewhere(
        self, said: str, start: int, path: str, source: Source, kind: ReferenceKind
    ) -> Iterator[Reference]:
        """The longest end of the path that is a file of the tree, or a folder of two parts and more, that moves."""
        at = said.find("/")
        while at >= 0:
            tail = said[at + 1 :]
            moved = self._moved(tail) if "/" in tail else self._renames.paths.get(tail)
            if moved is not None:
                begin = start + len(said[: at + 1].encode())
                own = at == 0 and _counts_from_root(path)
                yield Reference(
                    kind=kind,
                    line=source.line_of(start),
                    old=said,
                    new=said[: at + 1] + moved,
                    certain=own,
                    edits=(Edit(span=Span(begin, begin + len(tail.encode())), text=moved.encode()),),
                    note="" if own else _ELSEWHERE_NOTE,
                )
                return
            at = said.find("/", at + 1)

    def _reference(
        self, said: str, start: int, path: str, source: Source, kind: ReferenceKind, *, bare: bool
    ) -> Reference | None:
        dots, plain = "", said
        if said.startswith("./"):
            dots, plain = "./", said[2:]
        certain = "/" in plain or (bare and plain in self._unique and "." in plain)
        moved = self._moved(plain)
        note = ""
        if moved is not None:
            new = dots + moved
        else:
            folder = folder_of(path)
            here = posixpath.normpath(posixpath.join(folder, said))
            target = self._moved(here) or here
            if folder == "." or here not in self._tree.entries or "/" not in said:
                inside = self._inside(plain)
                if inside is None:
                    is_code = kind is ReferenceKind.PATH_IN_CODE
                    return self._from_a_folder_above(said, start, path, source) if is_code else None
                new, certain, note = dots + inside, False, "no file, but in a folder that moves as a whole"
            else:
                new = posixpath.relpath(target, folder_of(self._renames.new_path(path)))
                if dots:
                    new = new if new.startswith(".") else f"./{new}"
                if kind is ReferenceKind.PATH_IN_CODE:
                    certain, note = False, "counted from the file's own folder"
        if new == said:
            return None
        return _said_anew(said, new, start, source, kind, certain=certain, note=note)

    def _from_a_folder_above(self, said: str, start: int, path: str, source: Source) -> Reference | None:
        """The end of the path of one file that moves, counted from a folder above both: `"lexer.py"` in a table."""
        old = self._by_end.get(said)
        if old is None:
            return None
        base = old[: len(old) - len(said)]
        new = self._renames.paths[old]
        if not path.startswith(base) or new == old:
            return None
        stays = new.startswith(base)
        found = _said_anew(
            said,
            new[len(base) :] if stays else "",
            start,
            source,
            ReferenceKind.PATH_IN_CODE,
            certain=False,
            note=f"{old}, if it is counted from {base.rstrip('/')}",
        )
        return found if stays else replace(found, edits=())

    def _inside(self, path: str) -> str | None:
        """Where a path goes with the folder that it is in: something that is made there later, perhaps."""
        above = path
        while "/" in above:
            above = above.rpartition("/")[0]
            if above in self._renames.folders:
                return self._renames.folders[above] + path[len(above) :]
        return None

    def _on_pages(self, utf8: bytes, span: Span, source: Source, kind: ReferenceKind) -> Iterator[Reference]:
        """Files as the pages of a forge show them; of which project and state, only a person can say."""
        for found in _PAGE.finditer(utf8, span.start, span.end):
            said = found["path"].decode().rstrip(".")
            moved = self._moved(said)
            if moved is not None:
                yield _said_anew(said, moved, found.start("path"), source, kind, certain=False)

    def _moved(self, path: str) -> str | None:
        return self._renames.paths.get(path) or self._renames.folders.get(path.rstrip("/"))


def _by_end(paths: Iterable[str]) -> Mapping[str, str]:
    """Files in folders by the ends of their paths, from one name on, as far as an end is that of one file only."""
    found: dict[str, str | None] = {}
    for path in paths:
        at = path.find("/")
        while at >= 0:
            end = path[at + 1 :]
            found[end] = path if end not in found else None
            at = path.find("/", at + 1)
    return {end: path for end, path in found.items() if path is not None}


def _counts_from_root(path: str) -> bool:
    """Whether a path that begins with "/" is counted from the tree's root there, as git and Docker do."""
    folder, _, name = path.rpartition("/")
    return name == "CODEOWNERS" or (not folder and (name == ".gitattributes" or name.endswith("ignore")))


def _said_anew(
    said: str,
    new: str,
    start: int,
    source: Source,
    kind: ReferenceKind,
    *,
    certain: bool,
    note: str = "",
) -> Reference:
    return Reference(
        kind=kind,
        line=source.line_of(start),
        old=said,
        new=new,
        certain=certain,
        edits=(Edit(span=Span(start, start + len(said.encode())), text=new.encode()),),
        note=note,
    )
