"""Two versions of a module made one: what is taken, what waits, and that nothing is lost."""

import ast
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.migration.merge.account import Outcome, Side, lost_definitions, unaccounted
from magellan.migration.merge.fields import inherited_out_of_order
from magellan.migration.merge.module_merge import MergedModule, merge_modules
from magellan.migration.merge.pieces import cut, members


def merged(source: str, target: str, base: str | None = None) -> MergedModule:
    """The merge of two indented texts; its account is closed in every test."""
    mine, theirs = textwrap.dedent(source), textwrap.dedent(target)
    before = None if base is None else textwrap.dedent(base)
    found = merge_modules(mine, theirs, before)
    ancestor = None if before is None else cut(before)
    assert not lost_definitions(
        cut(mine), cut(theirs), found.text, found.conflicts, found.decisions, ancestor
    )
    assert not unaccounted(cut(mine), cut(theirs), found.decisions)
    ast.parse(found.text)
    return found


def outcome(found: MergedModule, side: Side, key: str) -> Outcome:
    return next(each.outcome for each in found.decisions if (each.side, each.key) == (side, key))


def test_what_is_only_in_the_source_comes_after_what_it_came_after_there_with_its_comments() -> None:
    found = merged(
        """
        def first(): return 1

        # why this is needed
        def second(): return 2  # and how
        """,
        """
        def first(): return 1

        def last(): return 9
        """,
    )
    assert found.text == (
        "\ndef first(): return 1\n\n# why this is needed\ndef second(): return 2  # and how\n\ndef last(): return 9\n"
    )
    assert not found.conflicts


def test_a_definition_that_differs_only_in_formatting_is_kept_as_the_target_has_it() -> None:
    found = merged("def f(a,b):\n    return a+b\n", 'def f(a, b):\n    """Add."""\n    return a + b\n')
    assert found.text == 'def f(a, b):\n    """Add."""\n    return a + b\n'
    assert not found.conflicts


def test_a_body_that_contains_the_other_is_taken() -> None:
    small = "def f(a):\n    b = a * 2\n    return b\n"
    large = "def f(a):\n    log(a)\n    b = a * 2\n    return b\n"
    assert merged(large, small).text == large
    assert merged(small, large).text == large


def test_definitions_that_differ_wait_for_a_person_and_the_target_keeps_its_own() -> None:
    found = merged("LIMIT = 3\n", "LIMIT = 4\n")
    assert found.text == "LIMIT = 4\n"
    (conflict,) = found.conflicts
    assert (conflict.key, conflict.source, conflict.target) == ("LIMIT", "LIMIT = 3", "LIMIT = 4")
    assert outcome(found, Side.SOURCE, "LIMIT") is Outcome.WAITING


def test_classes_are_merged_member_by_member() -> None:
    found = merged(
        """
        class Regime(Base):
            window = 20

            def fit(self): return 1

            # only here
            def score(self): return 2
        """,
        """
        class Regime(Base):
            def fit(self): return 1

            def label(self): return 3
        """,
    )
    assert found.text == textwrap.dedent(
        """
        class Regime(Base):
            window = 20
            def fit(self): return 1

            # only here
            def score(self): return 2

            def label(self): return 3
        """
    )
    assert outcome(found, Side.SOURCE, "Regime.score") is Outcome.KEPT
    assert outcome(found, Side.TARGET, "Regime.label") is Outcome.KEPT


def test_a_class_with_other_bases_waits_as_a_whole() -> None:
    found = merged("class A(One):\n    def f(self): return 1\n", "class A(Two):\n    def g(self): return 1\n")
    assert [each.key for each in found.conflicts] == ["A"]
    assert outcome(found, Side.SOURCE, "A.f") is Outcome.WAITING


def test_imports_are_united_and_names_from_two_places_wait() -> None:
    found = merged(
        "from __future__ import annotations\nimport os\nfrom a import x, y\nfrom old import Z\n",
        '"""What it is."""\nfrom a import x\nfrom new import Z\n',
    )
    assert found.text == (
        '"""What it is."""\nfrom __future__ import annotations\nfrom a import x\nfrom new import Z\n'
        "import os\nfrom a import y\n"
    )
    assert [(each.key, each.source) for each in found.conflicts] == [("Z", "from old import Z")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('__all__ = ["a"]\n', '__all__ = ["a", "b"]\n'),
        ("__all__ = ['a']\n", "__all__ = ['a', 'b']\n"),
        ("__all__ = []\n", '__all__ = ["b", "a"]\n'),
        ('__all__ = [\n    "a",  # first\n]\n', '__all__ = [\n    "a",  # first\n    "b",\n]\n'),
    ],
)
def test_exported_names_are_united_in_the_target_s_own_style(before: str, after: str) -> None:
    assert merged('__all__ = ["b", "a"]\n', before).text == after


def test_a_name_of_typing_that_is_one_of_collections_abc_does_not_wait() -> None:
    source = "from typing import Callable, Iterable as I, Protocol, TextIO\ndef f(a): ...\n"
    target = "from collections.abc import Callable, Iterable as I\nfrom typing_extensions import Protocol\n"
    found = merged(source, target)
    assert [each.key for each in found.conflicts] == ["Protocol"]
    assert target.strip() in found.text
    assert "from typing import TextIO" in found.text
    assert "typing import Callable" not in found.text


def test_the_set_of_typing_is_the_built_in_one_and_not_that_of_collections_abc() -> None:
    found = merged(
        "from collections.abc import Set\ndef f(a: Set): ...\n", "from typing import Set\ndef g(): ...\n"
    )
    assert [each.key for each in found.conflicts] == ["Set"]


FILL = "@dataclass\nclass Fill:\n    symbol: str\n"


@pytest.mark.parametrize(
    ("head", "field"),
    [
        ("@dataclass\nclass Fill:", "shares: int"),
        ("@attrs.define\nclass Fill:", "shares = attrs.field()"),
        ("class Fill(NamedTuple):", "shares: int = 0"),
        ("class Fill(BaseModel):", "shares: int = Field(0)"),
    ],
)
def test_a_field_that_only_the_source_has_waits_since_it_may_have_been_removed(head: str, field: str) -> None:
    target = f"{head}\n    symbol: str\n"
    source = f"{target}    {field}\n    def cost(self): return 1\n"
    found = merged(source, target)
    assert "shares" not in found.text and "def cost" in found.text
    (conflict,) = found.conflicts
    assert (conflict.key, conflict.source.strip()) == ("Fill.shares", field)
    assert "removed in the target" in conflict.why
    assert outcome(found, Side.SOURCE, "Fill.shares") is Outcome.WAITING
    # It is clear who did what, where the ancestor is known.
    assert "shares" in merged(source, f"{target}    def price(self): return 2\n", target).text


ORDERED = "@dataclass\nclass Order:\n    shares: int\n"


@pytest.mark.parametrize(
    ("base", "source", "target"),
    [
        pytest.param(ORDERED, "    note: str = ''\n", "    price: float\n", id="the source's has a default"),
        pytest.param(ORDERED, "    note: str\n", "    price: float = 0\n", id="the target's has one"),
        pytest.param(
            "class Order(typing.NamedTuple):\n    shares: int\n",
            "    note: str = ''\n",
            "    price: float\n",
            id="named tuple",
        ),
        pytest.param(
            "@attr.s\nclass Order:\n    shares = attr.ib()\n",
            "    note = attr.ib(default='')\n",
            "    price = attr.ib()\n",
            id="attrs",
        ),
        pytest.param(
            ORDERED, "    notes: list = field(default_factory=list)\n", "    price: float\n", id="factory"
        ),
        pytest.param(
            ORDERED,
            "    note: str = ''\n",
            "    price: float = field(repr=False)\n",
            id="a field that says no default",
        ),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_field_without_a_default_does_not_come_behind_one_with_a_default(
    base: str, source: str, target: str, nested: bool
) -> None:
    texts = [base + source, base + target, base]
    if nested:
        texts = ["class Desk:\n" + textwrap.indent(each, "    ") for each in texts]
    mine, theirs, before = texts
    both = (merged(mine, theirs, before), merged(theirs, mine, before))
    waits = [found for found in both if found.conflicts]
    assert len(waits) == 1, "in one direction the order is right, and both fields are taken"
    (conflict,) = waits[0].conflicts
    key = "Desk.Order" if nested else "Order"
    assert conflict.key == key and "without a default would follow" in conflict.why
    assert waits[0].text in (mine, theirs)
    assert all(outcome(waits[0], side, f"{key}.shares") is Outcome.WAITING for side in Side)


def test_a_default_given_on_one_side_does_not_come_before_a_field_without_one_of_the_other() -> None:
    mine, theirs = ORDERED.replace("int", "int = 0"), f"{ORDERED}    price: float\n"
    for found, kept in ((merged(mine, theirs, ORDERED), theirs), (merged(theirs, mine, ORDERED), mine)):
        assert [each.key for each in found.conflicts] == ["Order"]
        assert found.text == kept


@pytest.mark.parametrize(
    ("base", "source"),
    [
        ("@dataclass(kw_only=True)\nclass Order:\n    shares: int\n", "    note: str = ''\n"),
        (ORDERED, "    note: str = field(default='', kw_only=True)\n"),
        (ORDERED, "    note: str = field(init=False, default='')\n"),
        (ORDERED, "    kind: ClassVar[str] = ''\n"),
        ("@dataclass\nclass Order:\n    _: KW_ONLY\n    shares: int\n", "    note: str = ''\n"),
        ("class Order(BaseModel):\n    shares: int\n", "    note: str = ''\n"),
    ],
)
def test_fields_that_may_stand_in_any_order_are_taken_from_both(base: str, source: str) -> None:
    for mine, theirs in ((source, "    price: float\n"), ("    price: float\n", source)):
        found = merged(base + mine, base + theirs, base)
        assert not found.conflicts
        assert mine in found.text and theirs in found.text


def test_a_field_that_only_the_target_has_stays_and_is_told() -> None:
    target = f"{FILL}    shares: int = 0\n"
    found = merged(f"{FILL}    def cost(self): return 1\n", target)
    assert "shares: int = 0" in found.text and not found.conflicts
    assert (
        "Fill.shares: a field that only the target has: added here, or removed in the source" in found.notes
    )


@pytest.mark.parametrize(
    "source",
    [f"{FILL}    seen: ClassVar[int] = 0\n", f"{FILL}    limit = 3\n", "class Fill:\n    shares: int\n"],
)
def test_what_no_instance_is_made_with_is_taken(source: str) -> None:
    target = FILL if source.startswith("@") else "class Fill:\n    symbol: str\n"
    found = merged(source, target)
    assert not found.conflicts and source.splitlines()[-1] in found.text


def test_what_the_source_does_when_it_is_imported_waits() -> None:
    found = merged("connect()\n\ndef f(): return 1\n", "def f(): return 1\n")
    assert "connect()" not in found.text
    assert [each.source for each in found.conflicts] == ["connect()"]


def test_a_renamed_definition_keeps_its_old_name_as_another_one() -> None:
    body = "(a):\n    b = a + 1\n    c = b * 2\n    return c\n"
    found = merged(f"def old{body}", f"def new{body}")
    assert found.text == f"def new{body}\n\nold = new\n"
    assert outcome(found, Side.SOURCE, "old") is Outcome.RENAMED


def test_with_an_ancestor_what_only_one_side_changed_is_that_side_s() -> None:
    base = "def f(): return 1\n\n\ndef g(): return 1\n\n\ndef h(): return 1\n"
    source = base.replace("f(): return 1", "f(): return 2").replace("h(): return 1", "h(): return 3")
    target = base.replace("g(): return 1", "g(): return 2").replace("h(): return 1", "h(): return 4")
    found = merged(source, target, base)
    assert "def f(): return 2" in found.text and "def g(): return 2" in found.text
    assert [(each.key, each.base) for each in found.conflicts] == [("h", "def h(): return 1")]


def test_what_the_target_removed_since_the_ancestor_is_not_brought_back_silently() -> None:
    base = "def f(): return 1\n\n\ndef g(): return 1\n"
    found = merged(base, "def f(): return 1\n", base)
    assert "def g" not in found.text
    assert [each.key for each in found.conflicts] == ["g"]


def test_line_endings_of_the_target_are_kept() -> None:
    found = merge_modules("def a(): return 1\n\ndef b(): return 2\n", "def a(): return 1\r\n")
    assert found.text == "def a(): return 1\r\n\r\ndef b(): return 2\r\n"


def test_a_form_feed_and_a_last_line_without_an_end_survive() -> None:
    found = merge_modules("x = 1\ny = 2", "x = 1\n\x0c\nz = 3  # last")
    assert found.text == "x = 1\ny = 2\n\x0c\nz = 3  # last"


NAMES = st.sampled_from(["alpha", "beta", "gamma", "Delta", "Epsilon"])
VALUES = st.integers(0, 2)


@st.composite
def modules(draw: st.DrawFn) -> str:
    lines = []
    for name in draw(st.lists(NAMES, max_size=5)):
        value = draw(VALUES)
        match draw(st.integers(0, 4)):
            case 0:
                lines.append(f"{name} = {value}  # {name}\n")
            case 1:
                lines.append(f"# about {name}\ndef {name}(a):\n    b = {value}\n    return a\n\n")
            case 2:
                lines.append(
                    f"class {name}:\n    size = {value}\n\n    def f(self):\n        return {value}\n"
                )
            case 3:
                lines.append(f"class {name}:\n    '''Doc.'''\n    def g{value}(self):\n        return 1\n")
            case 4:
                lines.append(f"start({value})\n")
    return "".join(draw(st.permutations(lines)))


@settings(max_examples=60, deadline=None)
@given(source=modules(), target=modules(), base=st.none() | modules())
def test_no_definition_of_either_side_is_ever_lost(source: str, target: str, base: str | None) -> None:
    found = merged(source, target, base)
    again = merge_modules(source, source)
    assert again.text == source and not again.conflicts
    for conflict in found.conflicts:
        assert conflict.source or conflict.target


@settings(max_examples=60, deadline=None)
@given(source=modules())
def test_pieces_make_the_source_again(source: str) -> None:
    whole = cut(source)
    assert "".join(piece.text for piece in whole.pieces) + whole.tail == source
    for piece in whole.pieces:
        parts = members(piece)
        if parts is not None:
            head, inner = parts
            assert head + "".join(each.text for each in inner.pieces) + inner.tail == piece.text


def test_a_name_that_would_be_needed_before_it_is_there_waits_for_a_person() -> None:
    found = merged(
        """
        from shop.words import NOTHING
        def write(path, other=NOTHING): return other
        """,
        """
        def read(path): return path
        NOTHING = "nothing"
        """,
    )
    (imported, early) = found.conflicts
    assert imported.why == "the source imports a name that the target defines"
    line = found.text.splitlines().index("def write(path, other=NOTHING): return other") + 1
    bound_on = found.text.splitlines().index('NOTHING = "nothing"') + 1
    assert early.key == "NOTHING" and line < bound_on
    assert early.why == (
        f"put together, line {line} needs it when the module is imported, and line {bound_on} defines it"
    )


def test_what_the_target_needs_too_early_by_itself_is_no_matter_of_the_merge() -> None:
    text = "def read(x=LIMIT): return x\nLIMIT = 1\n"
    assert merged("def write(): return 1\n" + text, text).conflicts == ()


ANCESTOR = """
'''Words about shops.'''
import os
import re
from shop.old import price, tax
__all__ = ["load", "drop"]
def load(path): return re.match(path, price)
def drop(path): return os.remove(path)
"""


def test_what_the_target_took_away_since_the_ancestor_stays_away() -> None:
    found = merged(
        ANCESTOR + "def new(): return 1\n",
        """
        import re
        from shop.new import price
        __all__ = ["load"]
        def load(path): return re.match(path, price)
        def __getattr__(name): return {"tax": 19}[name]
        """,
        ANCESTOR,
    )
    assert found.text == textwrap.dedent(
        """
        import re
        from shop.new import price
        __all__ = ["load"]
        def load(path): return re.match(path, price)
        def new(): return 1
        def __getattr__(name): return {"tax": 19}[name]
        """
    )
    assert [(each.key, each.why) for each in found.conflicts] == [
        ("drop", "it was removed in the target, and is unchanged in the source")
    ]
    left_out = [note for note in found.notes if note.startswith("import left out")]
    assert [note.split(": ")[1] for note in left_out] == ["import os", "from shop.old import tax"]


def test_an_import_that_the_target_took_away_comes_back_where_the_source_needs_it() -> None:
    found = merged(
        ANCESTOR + "def new(): return os.getcwd()\n",
        "def load(path): return path\n",
        ANCESTOR,
    )
    assert "import os\n" in found.text and "import re" not in found.text and "shop.old" not in found.text


def test_what_the_target_imports_no_more_and_defines_itself_is_its_own() -> None:
    found = merged(
        ANCESTOR + "def new(): return tax\n",
        "tax = 19\ndef load(path): return tax\n",
        ANCESTOR,
    )
    assert "import tax" not in found.text and "price, tax" not in found.text
    assert [each.key for each in found.conflicts] == ["__all__", "drop"]


SHAPES = """
from dataclasses import dataclass

@dataclass
class Shape:
    name: str

@dataclass
class Circle(Shape):
    size: int = 0
"""


@pytest.mark.parametrize("is_known", [True, False])
def test_fields_that_a_base_and_a_child_bring_out_of_order_wait_for_a_person(*, is_known: bool) -> None:
    found = merged(
        SHAPES.replace("name: str", "name: str = 'shape'"),
        SHAPES.replace("size: int = 0", "size: int"),
        SHAPES if is_known else None,
    )
    if is_known:
        (conflict,) = found.conflicts
        assert conflict.key == "Circle"
        assert conflict.why == (
            "with its bases its field size without a default would follow name, which has one"
        )
    else:
        assert {each.key.partition(".")[0] for each in found.conflicts} == {"Shape", "Circle"}


@pytest.mark.parametrize(
    "module",
    [
        "@dataclass\nclass A:\n    x: int = 1\n@dataclass(kw_only=True)\nclass B(A):\n    y: int\n",
        "@dataclass(kw_only=True)\nclass A:\n    x: int = 1\n@dataclass\nclass B(A):\n    y: int\n",
        "@dataclass\nclass A:\n    x: int\n    y: int = 1\n@dataclass\nclass B(A):\n    x: int = 2\n",
        "class A:\n    x: int = 1\n@dataclass\nclass B(A):\n    y: int\n",
        "@dataclass\nclass A:\n    x: int = 1\nclass B(A):\n    y: int\n",
        "@dataclass\nclass A(A):\n    x: int = 1\n",
        "@dataclass\nclass A:\n    x: int = 1\n    _: KW_ONLY\n    y: int\n",
    ],
)
def test_fields_that_can_be_made_are_in_order(module: str) -> None:
    assert inherited_out_of_order(module) == {}


@pytest.mark.parametrize(
    "module",
    [
        "@dataclass\nclass A:\n    x: int = 1\n@dataclass\nclass B(A):\n    y: int\n",
        "@dataclass\nclass A(Generic[T]):\n    x: int = 1\n@dataclass\nclass B(A[int]):\n    y: int\n",
        "@dataclass\nclass A:\n    x: int\n    y: int\n@dataclass\nclass B(A):\n    x: int = 2\n",
    ],
)
def test_fields_that_cannot_be_made_are_told(module: str) -> None:
    assert inherited_out_of_order(module).keys() == {"B"}


@given(st.data())
def test_the_order_of_inherited_fields_is_that_of_python_itself(data: st.DataObject) -> None:
    """Of plain dataclasses, each with one base or none."""
    lines = ["from dataclasses import dataclass"]
    for number in range(data.draw(st.integers(1, 4))):
        base = f"(C{data.draw(st.integers(0, number - 1))})" if number and data.draw(st.booleans()) else ""
        lines += ["@dataclass", f"class C{number}{base}:", "    pass"]
        for name in data.draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=3)):
            lines.append(f"    {name}: int" + data.draw(st.sampled_from(["", " = 1"])))
    module = "\n".join(lines)
    try:
        exec(module, {"__name__": "made"})
    except TypeError as error:
        assert "non-default argument" in str(error)
        assert inherited_out_of_order(module)
    else:
        assert inherited_out_of_order(module) == {}
