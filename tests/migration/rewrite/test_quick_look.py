"""A file that only imports what moves is not parsed as a whole; what is found in it must not depend on that."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.migration.mapping import FileMove
from magellan.migration.rewrite.bystanders import Bystanders
from magellan.migration.rewrite.interest import Interest, words_in
from magellan.migration.rewrite.reference import Reference
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source_tree import SourceTree
from migration.rewrite.test_python import MOVES, SHOP, rewriting

PATH = "shop/api/routes.py"
# After this statement `os` may be used anywhere, so a file that has it is always parsed.
PARSED = "\nimport os.path\n"

PIECES = (
    "from shop import regime, rules",
    "from ..regime import Label",
    "from .. import tables, regime as r",
    "from shop import (  # (both)\n    rules,\n    regime,\n)",
    "x = 1; from shop import regime",
    "if x: from shop import (rules,  # )\n    regime)",
    "def f():\n    from shop import regime",
    "import shop",
    "import bot",
    "from bot import run as regime",
    "regime = console.regime(self.regime).regime",
    "regime.label(bot)",
    "shop.regime.label()",
    "(shop\n  .regime).label()",
    "(shop  # the shop\n  .regime).label()",
    "(shop).regime",
    "f'{shop.regime}'",
    "f'{shop.x}: regime'",
    "class shop: regime = 1",
    "lambda shop: shop.regime",
    "# see shop.regime, and the regime; or shop/regime.py",
    "'the regime', 'shop.regime', ' shop.regime', '\\nshop.regime'",
    "r'shop\\.regime', 'shop' '.regime', 'shop.' 'regime'",
    "('shop.'\n 'regime')",
    "importlib.import_module('..regime', __package__)",
    "importlib.import_module('bot')",
    "patch('bot.run'); patch('regime')",
    "open('shop/regime.py'); open('regime.py'); open('bot')",
    "x: 'shop.regime.Label'",
    '"""\nfrom shop import regime\n"""',
    "'''Of the regime.\n\n    >>> from shop.regime import Label\n'''",
    "__all__ = ['regime', 'rules']",
    "run('python -m shop.regime'); serve('bot:run')",
)


def found_in(source: str, path: str) -> list[Reference]:
    found = rewriting({**SHOP, path: source}, MOVES).files.get(path)
    return [] if found is None else list(found.references)


@pytest.mark.parametrize("path", [PATH, "shop/api/__init__.py"])
@pytest.mark.parametrize("piece", PIECES)
def test_a_file_says_the_same_whether_it_is_parsed_as_a_whole_or_not(piece: str, path: str) -> None:
    assert found_in(piece, path) == found_in(piece + PARSED, path)


@given(
    pieces=st.lists(st.sampled_from(PIECES), min_size=2, max_size=5), ending=st.sampled_from(["\n", "\r\n"])
)
@settings(max_examples=60)
def test_so_do_several_together(pieces: list[str], ending: str) -> None:
    source = "\n".join(pieces)
    assert found_in(source.replace("\n", ending), PATH) == found_in(
        (source + PARSED).replace("\n", ending), PATH
    )


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        ("regime", True),
        ("self.regime.label()", True),
        ("console(a)[0].regime", False),
        ("'a regime of its own'", True),
        ("shop.regime", False),
        ("xshop.regime", True),
        ("a.shop.regime", True),
        ("'\\nshop.regime'", False),
        ("shop \\\n . regime", False),
        ("x  # y\n.regime", False),
        ("'shop/regime.py'", False),
        ("'..regime'", False),
        ("'shop.' 'regime'", False),
        ("'shop', 'regime'", True),
        ("import regime", False),
        ("import (a,\n regime", False),
        ("import (a)\n regime", True),
        ("table.regime", False),
        (f"{'a' * 300}.regime", False),
    ],
)
def test_a_word_is_a_bystander_where_nothing_leads_from_it_to_what_moves(source: str, is_one: bool) -> None:
    tree = SourceTree.of({path: content.encode() for path, content in SHOP.items()})
    moves = [FileMove(source=source, target=target) for source, target in MOVES.items()]
    bystanders = Bystanders(Renames(tree, moves, ("",)))
    assert bystanders.are_all(source.encode(), Interest(source.encode(), [b"regime"]), ["table"]) is is_one


@given(
    text=st.lists(
        st.sampled_from(["shop", "\\nshop", "regime", ".", "\\n", "\\", "\n", " ", '"', "é", "_", "x9", "-"])
    ).map("".join),
    others=st.sampled_from([0, 100]),
)
def test_every_word_that_stands_in_a_text_is_found_however_many_are_looked_for(
    text: str, others: int
) -> None:
    utf8 = text.encode()
    words = frozenset(
        {b"shop", b"regime", b"shop-regime", *(f"other{number}".encode() for number in range(others))}
    )

    found = words_in(utf8, words)

    assert {word for word in words if Interest(utf8, {word})} <= found
