"""Names that an import of a module needs before they are bound."""

import sys
import sysconfig
import textwrap
import warnings
from pathlib import Path

import pytest

from magellan.migration.merge.early_uses import EarlyUse, early_uses


@pytest.mark.parametrize(
    "text",
    [
        "def f(x=LATE): pass",
        "def f(*, x=LATE): pass",
        "@LATE\ndef f(): pass",
        "def f(x: LATE): pass",
        "def f() -> LATE: pass",
        "class A(LATE): pass",
        "class A(object, metaclass=LATE): pass",
        "class A:\n    x = LATE",
        "class A:\n    def f(self, x=LATE): pass",
        "x = LATE + 1",
        "x: int = LATE",
        "x = [y for y in LATE]",
        "x = lambda y=LATE: y",
        "if LATE:\n    pass",
        "for x in LATE:\n    pass",
        "with LATE as x:\n    pass",
        "if True:\n    x = LATE",
        "try:\n    x = LATE\nfinally:\n    pass",
        "print(LATE)",
        "LATE.x = 1",
    ],
)
def test_what_an_import_evaluates_needs_the_name(text: str) -> None:
    (found,) = early_uses(f"{text}\nLATE = object\n")
    assert (found.name, found.bound_on) == ("LATE", len(text.splitlines()) + 1)


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    return LATE",
        "class A:\n    def f(self):\n        return LATE",
        "x = lambda: LATE",
        "from __future__ import annotations\ndef f(x: LATE) -> LATE: pass\nx: LATE",
        "try:\n    x = LATE\nexcept NameError:\n    x = 1",
        "from shop import *\nx = LATE",
        "def f():\n    global LATE\n    LATE = 1\nf()\nx = LATE",
        "import LATE.inner\nx = LATE",
        "for LATE in range(3):\n    pass\nx = LATE",
        "if True:\n    LATE = 1\nx = LATE",
        "x = [LATE for LATE in range(3)]",
        "if (LATE := 1):\n    x = LATE",
        "match 1:\n    case LATE:\n        x = LATE",
        "class A:\n    LATE = 1\n    x = LATE",
    ],
)
def test_what_is_called_later_or_bound_somehow_does_not(text: str) -> None:
    assert early_uses(f"{text}\nLATE = object\n") == ()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a statement of Python 3.12")
def test_a_type_alias_is_evaluated_later() -> None:
    assert early_uses("type Tree = dict[str, Tree | Leaf]\nclass Leaf: pass\n") == ()


def test_names_of_a_class_are_its_own() -> None:
    text = """
        class A:
            INNER = 1
        x = INNER
        """
    assert early_uses(textwrap.dedent(text)) == (EarlyUse(name="INNER", line=4, bound_on=0),)


def test_modules_of_python_itself_need_nothing_before_it_is_there() -> None:
    """Each of them can be imported. A name that is bound nowhere comes from elsewhere: `globals().update`."""
    library = Path(sysconfig.get_paths()["stdlib"])
    # No older Python imports the modules of 3.14, whose annotations are evaluated when somebody asks for them.
    first = "from __future__ import annotations\n" if sys.version_info >= (3, 14) else ""
    read = 0
    for path in sorted(library.glob("*.py")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = early_uses(first + path.read_text(encoding="utf-8"))
        assert [use for use in found if use.bound_on] == [], path.name
        read += 1
    assert read > 100
