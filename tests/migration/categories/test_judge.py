"""Files put into categories: by what, with which reasons, and when it is left to a person."""

from pathlib import Path

import pytest

from magellan.errors import FixInput
from magellan.migration.categories.features import features, words
from magellan.migration.categories.judge import HIGH, SURE, Judged, Said, judge
from magellan.migration.categories.learned import learned_rules
from magellan.migration.categories.rules import CategoryRules, parse_rules, read_rules, rules_schema

OWN_LAYOUT = """
version = 1
layout = "a kitchen"
root = "kitchen"

[category.baking]
title = "what goes into the oven"
names = { bread = 3, oven = 2 }
packages = { bread = ["bread", "dough"] }

[category.paper]
title = "recipes"
kind = "file"
folder = "recipes"
files = ["*.md"]
"""


def judged(sources: dict[str, str], rules: CategoryRules | None = None) -> dict[str, Judged]:
    import ast

    said = []
    for path, source in sources.items():
        tree = ast.parse(source) if path.endswith(".py") else None
        known = features(path, source, tree) if path.endswith(".py") else frozenset()
        said.append(Said(path=path, features=known, is_python=path.endswith(".py")))
    return {each.path: each for each in judge(said, {}, rules or read_rules(None))}


@pytest.mark.parametrize(
    ("identifier", "said"),
    [
        ("getOpenOrders", ["open", "order"]),
        ("RSI_period2", ["rsi", "period"]),
        ("HTTPServer", ["http", "server"]),
        ("strategies", ["strategy"]),
        ("loss_status", ["loss", "status"]),
    ],
)
def test_identifiers_are_read_as_words_in_the_singular(identifier: str, said: list[str]) -> None:
    assert words(identifier) == said


def test_a_clear_file_has_its_category_its_package_and_reasons() -> None:
    sources = {
        "macd_indicator.py": "import talib\n\n\nclass MacdIndicator(Indicator):\n    def rsi(self): ...\n",
        "order_executor.py": "class OrderExecutor(Executor):\n    def submit_order(self): ...\n",
        "README.md": "# Read me\n",
    }
    found = judged(sources)
    indicator = found["macd_indicator.py"]
    assert (indicator.category, indicator.package) == ("strategies", "indicators")
    assert indicator.is_sure and "its name says macd" in indicator.reasons
    assert found["order_executor.py"].category == "execution"
    assert (found["README.md"].category, found["README.md"].reasons) == ("docs", ("its path is like *.md",))


def test_who_says_nothing_is_left_to_a_person() -> None:
    found = judged({"aardvark.py": "x = 1\n"})["aardvark.py"]
    assert not found.is_sure


def test_categories_are_judged_the_same_every_time() -> None:
    sources = {f"{name}_{n}.py": f"def {name}_{n}(): ...\n" for name in ("order", "feed") for n in range(6)}
    assert judged(sources) == judged(sources)


def test_files_that_say_the_same_pull_a_silent_one_along() -> None:
    body = "import pandas\n\n\ndef zorp(bars):\n    return bars.quux + bars.blah\n"
    many = {f"candle_feed_{n}.py": body for n in range(6)}
    many |= {f"order_{n}.py": f"class Order{n}:\n    def fill(self): ...\n" for n in range(12)}
    assert judged({**many, "plain.py": body})["plain.py"].category == "data"


def test_a_team_s_own_layout_is_another_file() -> None:
    rules = parse_rules(OWN_LAYOUT, name="rules.toml")
    found = judged({"bread_oven.py": "x = 1\n", "soup.md": "# Soup\n"}, rules)
    assert (found["bread_oven.py"].category, found["bread_oven.py"].package) == ("baking", "bread")
    assert rules.folder_of("paper") == "recipes"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("version = 1", "version = 2", "version"),
        ('kind = "file"', 'kind = "fish"', "category.paper.kind"),
        ("bread = 3", 'bread = "much"', "category.baking.names.bread"),
        ('folder = "recipes"', 'folder = "../out"', "category.paper.folder"),
        ('folder = "recipes"', 'folder = "baking"', "baking has that folder already"),
        ("version = 1", "version = ", "rules.toml is not TOML"),
        ('title = "recipes"', "titel = 1", "titel"),
    ],
)
def test_a_mistake_in_the_rules_is_named_at_its_place(before: str, after: str, message: str) -> None:
    with pytest.raises(FixInput, match=message):
        parse_rules(OWN_LAYOUT.replace(before, after), name="rules.toml")


def test_the_shipped_rules_hold_every_category_that_was_promised() -> None:
    wanted = {
        "core", "data", "execution", "strategies", "options", "ml", "risk", "backtesting", "monitoring", "bots",
        "integration", "utilities", "scripts", "tests", "configs", "deployment", "docs", "examples",
    }  # fmt: skip
    assert set(read_rules(None).category) == wanted
    assert not wanted & {"misc", "other", "various"}
    assert rules_schema()["properties"].keys() >= {"version", "category", "evidence"}


def test_confidence_is_between_nothing_and_certainty_and_high_is_above_sure() -> None:
    assert 0 < SURE < HIGH < 1
    found = judged({f"{name}.py": "def f(): ...\n" for name in ("broker", "feed", "order", "plot")})
    assert all(0 <= each.confidence <= 1 for each in found.values())


def test_rules_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(FixInput):
        read_rules(tmp_path / "none.toml")


def said_of(path: str, about: str) -> Said:
    return Said(
        path=path, features=frozenset({f"name:{about}", f"word:{about}", f"def:{about}", "word:thing"})
    )


def test_a_project_that_is_no_trading_system_teaches_its_own_packages() -> None:
    files = [
        said_of(f"kitchen/{about}/{about}_{n}.py", about) for about in ("bread", "soup") for n in range(4)
    ]
    rules = parse_rules(learned_rules(files, {}), name="learned.toml")
    assert set(rules.category) == {"bread", "soup"}
    loose = Said(path="new.py", features=frozenset({"name:soup", "word:soup"}))
    (found,) = judge([loose], {}, rules)
    assert found.category == "soup"


def test_a_flat_project_is_sorted_by_what_imports_each_other_and_says_the_same() -> None:
    files = [said_of(f"{about}_{n}.py", about) for about in ("bread", "soup") for n in range(6)]
    imports = {
        f"{about}_{n}.py": frozenset({f"{about}_0.py"}) for about in ("bread", "soup") for n in range(1, 6)
    }
    rules = parse_rules(learned_rules(files, imports), name="learned.toml")
    assert set(rules.category) == {"bread", "soup"}
    assert learned_rules(files, imports) == learned_rules(files, imports)


def test_where_nothing_can_be_learned_it_is_said() -> None:
    with pytest.raises(FixInput, match="no packages can be learned"):
        learned_rules([said_of("a.py", "x")], {})
