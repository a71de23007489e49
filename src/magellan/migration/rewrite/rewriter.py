"""A whole tree's rewriting: which files change, to what, and what is left for a person to look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from magellan.collector import uncollected
from magellan.migration.encoding import Text, plain_text, python_text
from magellan.migration.rewrite.code_in_text import CodeInText
from magellan.migration.rewrite.dotted_edits import DottedNames
from magellan.migration.rewrite.interest import Interest, words_in
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.path_edits import Paths
from magellan.migration.rewrite.pickled import is_pickled, modules_named, says_pickle
from magellan.migration.rewrite.put_together import PutTogether
from magellan.migration.rewrite.python_file import PythonFiles
from magellan.migration.rewrite.reference import Reference, ReferenceKind, RewriteOptions, spliced
from magellan.migration.rewrite.renames import Renames
from magellan.migration.rewrite.text_file import TextFiles
from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import folder_of

_TEXT_SIZE_MAX: Final = 4 * 1024 * 1024  # bytes; a text beyond it is data
_RELATIVE: Final = re.compile(rb"from[ \t\\\r\n]*\.|import_module\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReferences:
    """What one file says of things that move."""

    path: str  # in the tree as it is
    references: tuple[Reference, ...]
    before: bytes
    after: bytes  # the same where nothing is changed
    problem: str = ""  # a syntax error, or why the file could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewriting:
    """Every file that names something that moves, or cannot be read, by path in the tree as it is."""

    files: Mapping[str, FileReferences]
    options: RewriteOptions

    @property
    def changed(self) -> Iterator[FileReferences]:
        """Files with other contents afterwards."""
        return (each for each in self.files.values() if each.after != each.before)

    def left(self) -> Iterator[tuple[str, Reference]]:
        """References that are not changed, with the file that holds them."""
        for path, each in self.files.items():
            for reference in each.references:
                if not self.options.applies_to(reference):
                    yield path, reference


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteTask:
    """What is to be rewritten. It can be sent to another process."""

    tree: SourceTree
    renames: Renames
    options: RewriteOptions


LookThrough = Callable[[RewriteTask, Sequence[str], Callable[[int], None]], Iterable[FileReferences | None]]
"""Hands each path to `rewriter_of(task)`, and tells how many are done. The answers are in the order of the paths."""


def rewriter_of(task: RewriteTask) -> Callable[[str], FileReferences | None]:
    """What looks through a file: its references; None where it has none."""
    return _Rewriter(task).file


def look_through(
    task: RewriteTask, paths: Sequence[str], on_done: Callable[[int], None]
) -> Iterator[FileReferences | None]:
    """One file after the other, in this process."""
    rewriter = rewriter_of(task)
    for number, path in enumerate(paths, start=1):
        yield rewriter(path)
        on_done(number)


def rewrite(
    tree: SourceTree,
    renames: Renames,
    options: RewriteOptions | None = None,
    *,
    look: LookThrough = look_through,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Rewriting:
    """Find every reference in the tree to what moves, and make the edits. Nothing is written.

    look:        how files are looked through: here, or on several cores.
    on_progress: told how many files were looked through, and of how many.
    """
    task = RewriteTask(tree=tree, renames=renames, options=options or RewriteOptions())
    files = tree.files

    def tell(done: int) -> None:
        if done % 100 == 0 or done == len(files):
            on_progress(done, len(files))

    found = {each.path: each for each in look(task, files, tell) if each is not None}
    return Rewriting(files=found, options=task.options)


class _Rewriter:
    def __init__(self, task: RewriteTask) -> None:
        self._tree = task.tree
        self._options = task.options
        self._renames = task.renames
        contents = ModuleContents(self._renames.before, task.tree.read)
        names = DottedNames(self._renames, contents)
        paths = Paths(self._renames, task.tree)
        code = CodeInText(self._renames, contents)
        self._python = PythonFiles(self._renames, contents, names, paths, code)
        self._put_together = PutTogether(self._renames)
        self._texts = TextFiles(self._renames, names, paths, code)
        self._modules = [name.encode() for name in self._renames.modules]

    def file(self, path: str) -> FileReferences | None:
        entry = self._tree.entries[path]
        if not entry.is_python and entry.size > _TEXT_SIZE_MAX and not says_pickle(path):
            return None
        try:
            content = self._tree.read(path)
        except OSError as error:
            why = f"cannot be read: {error.strerror or error}"
            return FileReferences(path=path, references=(), before=b"", after=b"", problem=why)
        if not entry.is_python and is_pickled(path, content):
            return self._pickle(path, content)
        if not entry.is_python and b"\0" in content:
            return None
        words = words_in(content, self._renames.words)
        put_together = list(self._put_together.references(content)) if entry.is_python else []
        if (
            not words
            and not put_together
            and not self._may_refer_without_words(path, content, is_python=entry.is_python)
        ):
            return None
        text = python_text(content) if entry.is_python else plain_text(content)
        if text is None:
            if not entry.is_python:
                return None
            why = "its bytes are not in the encoding that it declares, so it is left as it is"
            return FileReferences(path=path, references=(), before=content, after=content, problem=why)
        problem = ""
        interest = Interest(text.utf8, words)
        if entry.is_python:
            with uncollected():
                references, problem = self._python.references(path, text, interest)
            references += put_together
        else:
            references = self._texts.references(path, text, interest)
        if not references and not problem:
            return None
        edits = [edit for each in references if self._options.applies_to(each) for edit in each.edits]
        after, unwritable = _encoded(text, spliced(text.utf8, edits), content)
        return FileReferences(
            path=path,
            references=tuple(sorted(references, key=lambda each: each.line)),
            before=content,
            after=after,
            problem=problem or unwritable,
        )

    def _may_refer_without_words(self, path: str, content: bytes, *, is_python: bool) -> bool:
        """Whether the file says something of what moves by where it lies."""
        if path in self._renames.paths:
            return True
        return is_python and _RELATIVE.search(content) is not None and self._is_near_moved_init(path)

    def _is_near_moved_init(self, path: str) -> bool:
        folder = folder_of(path)
        return any(
            folder == each or folder.startswith(f"{each}/") for each in self._renames.folders_of_moved_inits
        )

    def _pickle(self, path: str, content: bytes) -> FileReferences | None:
        found, problem = modules_named(content, self._modules)
        if not found and not problem:
            return None
        references = tuple(
            Reference(
                kind=ReferenceKind.PICKLE,
                line=1,
                old=name.decode(),
                new=self._renames.new_name(name.decode()),
                certain=False,
                note="it loads by the old name only: keep the shim, or write it again",
            )
            for name in found
        )
        return FileReferences(
            path=path, references=references, before=content, after=content, problem=problem
        )


def _encoded(text: Text, utf8: bytes, content: bytes) -> tuple[bytes, str]:
    if utf8 == text.utf8:
        return content, ""
    try:
        return text.with_utf8(utf8).encoded(), ""
    except UnicodeEncodeError:
        return content, f"{text.encoding} has no word for the new name, so it is left as it is"
