"""What import statements name, and at which bytes."""

from __future__ import annotations

import pytest

from magellan.migration.encoding import python_text
from magellan.migration.file_imports import read_imports
from magellan.migration.import_statement import Circumstance
from magellan.migration.imports import Origin, targets_of
from magellan.migration.module_names import ModuleNames
from magellan.migration.source import Source


def source_of(source: str | bytes) -> Source:
    text = python_text(source if isinstance(source, bytes) else source.encode())
    assert text is not None
    return Source(text.utf8)


@pytest.mark.parametrize(
    ("source", "module", "names"),
    [
        ("import a", None, ["a"]),
        ("import a.b as c, d", None, ["a.b", "d"]),
        ("import a . b", None, ["a . b"]),
        ("from a import b", "a", ["b"]),
        ("from . import b", ".", ["b"]),
        ("from.import b", ".", ["b"]),
        ("from .. a.b import (\n  c,  # why\n  d as e,\n)", ".. a.b", ["c", "d"]),
        ("from ... a import *", "... a", ["*"]),
        ("from \\\n  a.b \\\n  import c", "a.b", ["c"]),
        ("from importing import imports", "importing", ["imports"]),
        ("x = 1; from a import b; y = 2", "a", ["b"]),
        ("é = 'ü'; from ä.ö import ü as n", "ä.ö", ["ü"]),
        ("if x:\r\n\tfrom a import b\r\n", "a", ["b"]),
        ("\x0cfrom a import b\r\rfrom_ = 1", "a", ["b"]),
    ],
)
def test_the_bytes_of_names_are_found(source: str, module: str | None, names: list[str]) -> None:
    text = source_of(source)
    (statement,) = read_imports(text).statements

    def said(span: object) -> str:
        return text.utf8[span.start : span.end].decode()  # type: ignore[attr-defined]

    assert (None if statement.module_span is None else said(statement.module_span)) == module
    assert [said(each.name_span) for each in statement.names] == names


def test_imports_are_found_where_they_stand() -> None:
    source = """
import always
try:
    import tried
except ImportError:
    import instead
if TYPE_CHECKING:
    import typed
def f():
    import late
class C:
    import inner
match x:
    case 1:
        import matched
"""
    found = {each.names[0].name: each.under for each in read_imports(source_of(source)).statements}
    assert found == {
        "always": frozenset(),
        "tried": {Circumstance.CONDITION},
        "instead": {Circumstance.CONDITION},
        "typed": {Circumstance.TYPE_CHECKING},
        "late": {Circumstance.FUNCTION},
        "inner": frozenset(),
        "matched": {Circumstance.CONDITION},
    }


def test_a_file_with_a_syntax_error_still_tells_its_imports() -> None:
    source = (
        "import a\nprint 'x'\nfrom b import (c,\n   d)  # e\n  from .f import g; h\nfrom broken import (\n"
    )
    imports = read_imports(source_of(source))
    assert imports.problem.startswith("line 2")
    assert [(each.module, each.names[0].name, each.line) for each in imports.statements] == [
        ("", "a", 1),
        ("b", "c", 3),
        ("f", "g", 5),
    ]


def test_an_import_resolves_to_the_tree_the_library_what_is_installed_or_nothing() -> None:
    names = ModuleNames(
        ["src/shop/__init__.py", "src/shop/a.py", "src/shop/sub/b.py", "tests/lab.py", "tests/t.py"]
    )

    def told(source: str, path: str) -> list[tuple[str, Origin, str | None]]:
        statement = read_imports(source_of(source)).statements[0]
        targets = targets_of(statement, path, names, {"numpy"}.__contains__)
        return [(each.name, each.origin, each.path) for each in targets]

    tree = Origin.TREE
    assert told("from shop import a, x", "tests/t.py") == [
        ("shop", tree, "src/shop/__init__.py"),
        ("shop.a", tree, "src/shop/a.py"),
    ]
    assert told("from .sub import b", "src/shop/a.py") == [
        ("shop.sub", tree, None),
        ("shop.sub.b", tree, "src/shop/sub/b.py"),
    ]
    assert told("import lab", "tests/t.py") == [("tests.lab", tree, "tests/lab.py")]
    assert told("import lab", "src/shop/a.py") == [("lab", Origin.MISSING, None)]
    assert told("import os.path", "tests/t.py") == [("os.path", Origin.STANDARD_LIBRARY, None)]
    assert told("import numpy.linalg", "tests/t.py") == [("numpy.linalg", Origin.INSTALLED, None)]
    assert told("import shop.gone", "tests/t.py") == [("shop.gone", Origin.MISSING, None)]
    assert told("from ...up import x", "src/shop/a.py") == [("...up", Origin.MISSING, None)]
