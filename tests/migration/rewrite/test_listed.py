"""What is only probably a reference: it is listed with its line, and changed where somebody asks for that."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import zlib

import pytest

from magellan.migration.rewrite.reference import ReferenceKind, RewriteOptions
from migration.rewrite.test_python import MOVES, SHOP, rewriting

WORDS = {
    ".coveragerc": ("[run]\nsource = shop\n  bot\n", "[run]\nsource = shop\n  core.bot\n", 3),
    "app.toml": ('module = "bot"\nname = "bot"\n', 'module = "core.bot"\nname = "bot"\n', 1),
    "ruff.toml": ("first-party = [\n  'bot',\n]\n", "first-party = [\n  'core.bot',\n]\n", 2),
    "app.yaml": ("plugins:\n  - bot\nuser: bot\n", "plugins:\n  - core.bot\nuser: bot\n", 2),
    "work.yml": ("run: celery -A bot worker -A x\n", "run: celery -A core.bot worker -A x\n", 1),
    "index.md": ("Say `import bot`, not bot.\n", "Say `import core.bot`, not bot.\n", 1),
    "a.rst": (".. autosummary::\n\n   bot\n   os\n", ".. autosummary::\n\n   core.bot\n   os\n", 3),
    "ci.yml": ("run: python -c 'import bot, os'\n", "run: python -c 'import core.bot, os'\n", 1),
}


def places(path: str, content: str) -> list[int]:
    """Lines of the file at which something is listed and left as it is."""
    found = rewriting({**SHOP, path: content}, MOVES)
    named = found.files.get(path)
    assert named is None or named.after == named.before
    return [each.line for where, each in found.left() if where == path]


@pytest.mark.parametrize(("path", "case"), WORDS.items())
def test_one_word_is_a_module_where_its_place_speaks_of_modules(
    path: str, case: tuple[str, str, int]
) -> None:
    before, after, line = case
    assert places(path, before) == [line]
    asked = RewriteOptions(probable=frozenset({ReferenceKind.TEXT}))
    assert rewriting({**SHOP, path: before}, MOVES, asked).files[path].after.decode() == after


def test_the_end_of_a_modules_name_is_listed_where_the_module_ends_otherwise_then() -> None:
    assert places("a.rst", "See :class:`.regime.Label`.\n") == []  # it ends so in its new place, too
    moves = {"shop/regime.py": "shop/labels/market.py"}
    asked = RewriteOptions(probable=frozenset({ReferenceKind.TEXT}))
    found = rewriting({**SHOP, "a.rst": "See :class:`.regime.Label`, :class:`.Label`.\n"}, moves, asked)
    assert found.files["a.rst"].after == b"See :class:`.market.Label`, :class:`.Label`.\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("os.path.join(HERE, 'config', 'x.json')", "os.path.join(HERE, 'settings', 'x.json')"),
        ("Path('config') / 'x.json'", "Path('settings') / 'x.json'"),
        ("HERE.parent / 'config' / 'x.json'", "HERE.parent / 'settings' / 'x.json'"),
        ("HERE.joinpath('..', 'config', 'x.json')", "HERE.joinpath('..', 'settings', 'x.json')"),
        (
            "sys.path.append(join('shop', 'api', 'v1'))",
            "sys.path.append(join('shop', 'web/api', 'v1'))",
        ),
        ("join('config', 'y.json'), ','.join(('config', 'x.json'))", None),
    ],
)
def test_a_path_put_together_of_words_is_listed(before: str, after: str | None) -> None:
    files = {**SHOP, "config/x.json": "{}", "config/z.json": "{}", "shop/api/v1/a.py": ""}
    moves = {
        "config/x.json": "settings/x.json",
        "shop/api/v1/a.py": "shop/web/api/v1/a.py",
        "shop/api/__init__.py": "shop/web/api/__init__.py",
        "shop/api/routes.py": "shop/web/api/routes.py",
    }
    plain = rewriting({**files, "run.py": before}, moves)
    assert "run.py" not in {each.path for each in plain.changed}
    assert [each.line for path, each in plain.left() if path == "run.py"] == ([1] if after else [])
    asked = RewriteOptions(probable=frozenset({ReferenceKind.PATH_IN_CODE}))
    changed = rewriting({**files, "run.py": before}, moves, asked).files.get("run.py")
    assert (before if changed is None else changed.after.decode()) == (after or before)


@pytest.mark.parametrize(
    ("said", "target", "is_listed"),
    [
        ("*/regime.py", "shop/labels/market.py", True),
        ("**/regime.py", "shop/labels/regime.py", False),
        ("s*/regime.py", "core/regime.py", True),
        ("a*/regime.py", "core/regime.py", False),
    ],
)
def test_a_pattern_that_finds_a_file_only_where_it_was_is_listed(
    said: str, target: str, *, is_listed: bool
) -> None:
    found = rewriting({**SHOP, "ruff.toml": f'omit = ["{said}"]\n'}, {"shop/regime.py": target})
    assert [(path, each.new) for path, each in found.left()] == ([("ruff.toml", "")] if is_listed else [])


@pytest.mark.parametrize(
    "asked",
    [
        "import shop\ngetattr(shop, 'regime')",
        "import shop as s\nmonkeypatch.setattr(s, 'regime', 1)",
        "import shop.api\nmock.patch.object(shop, 'regime')",
        "from x import shop\nimport shop\nhasattr(shop, 'regime')",
    ],
)
def test_a_module_that_its_package_is_asked_for_by_a_word_is_listed(asked: str) -> None:
    *_, line = range(len(asked.splitlines()))
    assert places("run.py", asked) == [line + 1]


def test_other_things_that_are_asked_for_by_that_word_are_not() -> None:
    assert places("run.py", "import shop\ngetattr(other, 'regime'), getattr(shop, 'rules')\n") == []
    assert places("run.py", "import shop.tables\ngetattr(shop.tables, 'regime')\n") == []


def test_a_table_of_a_packages_own_lazy_modules_is_listed() -> None:
    lazy = "_TABLE = {'regime': ['Label'], 'rules': []}\ndef __getattr__(name): ...\n"
    files = {**SHOP, "shop/__init__.py": lazy}
    found = rewriting(files, MOVES)
    assert [(path, each.line) for path, each in found.left()] == [("shop/__init__.py", 1)]
    asked = RewriteOptions(probable=frozenset({ReferenceKind.STRING}))
    after = rewriting(files, MOVES, asked).files["shop/__init__.py"].after.decode()
    assert after == lazy.replace("'regime'", "'strategies.regime'")


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("run.bat", "python shop\\regime.py", "python shop\\strategies\\regime.py"),
        ("a.json", '{"f": "shop\\\\regime.py"}', '{"f": "shop\\\\strategies\\\\regime.py"}'),
        (
            "notes.md",
            "[it](https://example.org/ada/shop/blob/main/shop/regime.py#L3)",
            "[it](https://example.org/ada/shop/blob/main/shop/strategies/regime.py#L3)",
        ),
        ("tox.ini", "python {toxinidir}/bot.py", "python {toxinidir}/core/bot.py"),
        ("hooks.yaml", "exclude: bot\\.py", "exclude: core/bot\\.py"),
    ],
)
def test_paths_of_other_forms_are_listed_and_changed_on_request(path: str, before: str, after: str) -> None:
    assert places(path, before) == [1]
    asked = RewriteOptions(probable=frozenset({ReferenceKind.PATH}))
    assert rewriting({**SHOP, path: before}, MOVES, asked).files[path].after.decode() == after


def test_a_path_behind_a_colon_is_listed_and_a_hosts_name_is_none() -> None:
    content = "volumes:\n  - ./x:/app/shop/regime.py\n  - http://shop/regime.py\n"
    assert places("compose.yml", content) == [2]


def test_an_import_that_gives_the_first_part_of_a_name_is_listed_where_that_changes() -> None:
    moves = {"shop/regime.py": "core/regime.py"}
    files = {**SHOP, "a.py": "x = __import__('shop.regime')\ny = __import__('shop.regime', fromlist=['x'])\n"}
    found = rewriting(files, moves)
    assert [each.line for path, each in found.left() if path == "a.py"] == [1]
    assert b"'core.regime', fromlist" in found.files["a.py"].after


@pytest.mark.parametrize("target", ["my-bots/bot.py", "core/1bot.py", "core/bot.txt"])
def test_an_import_of_a_module_that_goes_where_it_cannot_be_imported_is_listed(target: str) -> None:
    files = {**SHOP, "a.py": "import os\nimport bot\n", "b.py": "from bot import run\n", "c.py": "x.bot\n"}
    found = rewriting(files, {"bot.py": target})
    assert [(path, each.line, each.new) for path, each in found.left()] == [("a.py", 2, ""), ("b.py", 1, "")]
    assert list(found.changed) == []


def test_what_a_program_makes_in_a_folder_that_moves_as_a_whole_is_listed() -> None:
    files = {**SHOP, "tables/a.csv": "", "run.py": "open('tables/out.csv', 'w')\nopen('notables/a.csv')\n"}
    moves = {"tables/a.csv": "data/tables/a.csv"}
    found = rewriting(files, moves)
    assert [(each.line, each.old, each.new) for path, each in found.left() if path == "run.py"] == [
        (1, "tables/out.csv", "data/tables/out.csv")
    ]
    assert list(found.changed) == []


@pytest.mark.parametrize("others", [0, 40], ids=["few words", "many words"])
def test_a_module_of_one_word_is_found_in_a_pickle_written_out_in_code(others: int) -> None:
    pickled = b"\x80\x04\x8c\x03bot\x94\x8c\x07Handler\x94\x93\x94."
    moved = {f"part{number}.py": f"core/part{number}.py" for number in range(others)}
    files = {**SHOP, **dict.fromkeys(moved, ""), "a.py": f"x = {pickled!r}\ny = 'robot'\n"}
    found = rewriting(files, {**MOVES, **moved})
    listed = [(each.kind, each.line, each.old) for path, each in found.left() if path == "a.py"]
    assert listed == [(ReferenceKind.PICKLE, 1, "bot")]


def test_a_package_that_moves_with_its_modules_says_the_right_words_in_all() -> None:
    files = {**SHOP, "shop/__init__.py": "__all__ = ['regime', 'rules']\n"}
    together = {path: f"core/{path}" for path in files if path.startswith("shop/")}
    assert list(rewriting(files, together).left()) == []
    assert [each.line for _, each in rewriting(files, MOVES).left()] == [1]


def test_a_pickle_written_out_in_code_is_listed_and_never_changed() -> None:
    pickled = "x = b'\\x80\\x04\\x8c\\x0bshop.regime\\x94', b'\\x8c\\nshop.regime\\x94'\ny = b'shop.regime'\n"
    asked = RewriteOptions(probable=frozenset(ReferenceKind))
    for options in (None, asked):
        found = rewriting({**SHOP, "a.py": pickled}, MOVES, options)
        after = pickled.replace("y = b'shop.regime'", "y = b'shop.strategies.regime'")
        assert found.files["a.py"].after.decode() == after
        listed = [(each.kind, each.line) for path, each in found.left() if path == "a.py"]
        assert listed == [(ReferenceKind.PICKLE, 1)] * 2


PICKLED = pickle.dumps({"model": [*range(9)]}).replace(b"model", b"shop.regime")


@pytest.mark.parametrize(
    ("path", "content", "is_listed"),
    [
        ("model.bin", PICKLED, True),
        ("model", PICKLED, True),
        ("model.dill", PICKLED[2:], True),
        ("net.pt", b"PK\x03\x04" + PICKLED + b"PK\x05\x06", True),
        ("net.bin", b"PK\x03\x04" + PICKLED + b"PK\x05\x06", False),
        ("shot.bin", PICKLED + b"\x00", False),
        ("model.pkl.gz", gzip.compress(PICKLED[2:], mtime=0), True),
        ("model.pickle.bz2", bz2.compress(PICKLED), True),
        ("model.pkl.xz", lzma.compress(PICKLED), True),
        ("model.joblib", zlib.compress(b"\0" * (2**20 - 5) + PICKLED), True),
        ("model.bin", gzip.compress(PICKLED, mtime=0), True),
        ("table.csv.gz", gzip.compress(b"shop.regime,1", mtime=0), False),
        ("table.csv.gz", gzip.compress(PICKLED, mtime=0)[:9], False),
    ],
)
def test_a_pickle_is_known_by_its_name_or_by_how_it_begins_and_ends(
    path: str, content: bytes, *, is_listed: bool
) -> None:
    found = rewriting({**SHOP, path: content}, MOVES, RewriteOptions(probable=frozenset(ReferenceKind)))
    listed = {(where, each.kind, each.old) for where, each in found.left() if where == path}
    assert listed == ({(path, ReferenceKind.PICKLE, "shop.regime")} if is_listed else set())
    assert path not in found.changed


def test_a_damaged_pickle_is_named_since_nobody_knows_what_else_it_says() -> None:
    whole = gzip.compress(PICKLED, mtime=0)
    found = rewriting({**SHOP, "model.pkl.gz": whole[:-9]}, MOVES).files["model.pkl.gz"]
    assert "is damaged" in found.problem
    assert found.after == found.before


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("run.py", "name.startswith('bot.')\n", "name.startswith('core.bot.')\n"),
        ("run.py", "Filter(f'bot.{part}')\n", "Filter(f'core.bot.{part}')\n"),
        ("run.py", "silence('bot.*', 'robot.*')\n", "silence('core.bot.*', 'robot.*')\n"),
        ("log.yaml", 'prefix: "bot."\n', 'prefix: "core.bot."\n'),
        ("Makefile", "all:\n\tpatch -mbot\n", "all:\n\tpatch -mcore.bot\n"),
    ],
)
def test_the_beginning_of_names_in_a_module_of_one_word_is_listed(path: str, before: str, after: str) -> None:
    assert places(path, before) == [before.count("\n")]
    asked = RewriteOptions(probable=frozenset(ReferenceKind))
    assert rewriting({**SHOP, path: before}, MOVES, asked).files[path].after.decode() == after


@pytest.mark.parametrize(
    "before",
    [
        "load = import_module('shop.' + name)\n",
        'load = __import__(f"shop.{name}")\n',
        "load = import_string('shop.%s.Label' % name)\n",
        "prefix = 'shop.'\n",
    ],
)
def test_a_name_that_is_put_together_behind_a_package_that_a_module_leaves_is_listed(before: str) -> None:
    moves = {"shop/regime.py": "shop/labels/market.py"}
    found = rewriting({**SHOP, "run.py": before}, moves, RewriteOptions(probable=frozenset(ReferenceKind)))
    listed = [(each.line, each.old, each.new) for where, each in found.left() if where == "run.py"]
    assert listed == [(1, "shop.", "")]
    assert found.files["run.py"].after == before.encode()


@pytest.mark.parametrize(
    "before", ["say('the shop.')\n", "load('shop.api.' + name)\n", "load('x.shop.' + y)\n"]
)
def test_what_only_looks_as_if_it_were_put_together_so_is_not_listed(before: str) -> None:
    found = rewriting({**SHOP, "run.py": before}, {"shop/regime.py": "shop/labels/market.py"})
    assert [each for where, each in found.left() if where == "run.py"] == []


def test_a_package_that_moves_as_a_whole_takes_names_that_are_put_together_behind_it_along() -> None:
    moves = {path: path.replace("shop/", "store/") for path in SHOP if path.startswith("shop/")}
    found = rewriting({**SHOP, "run.py": "load('shop.' + name)\n"}, moves)
    assert {(each.old, each.new) for where, each in found.left() if where == "run.py"} == {("shop", "store")}


APPS = """\
from django.apps import AppConfig, apps
LOCAL_APPS = ['bot']
INSTALLED_APPS = ['django.contrib.admin', 'bot', *LOCAL_APPS]
INSTALLED_APPS += ('bot',)
LABELS = ['bot']
class BotConfig(AppConfig):
    name = 'bot'
    label = 'bot'
class Menu:
    name = 'bot'
"""


def test_an_application_of_djangos_is_rewritten_where_it_is_named_as_a_module_and_keeps_its_label() -> None:
    found = rewriting({**SHOP, "settings.py": APPS}, MOVES)
    after = found.files["settings.py"].after.decode().splitlines()
    before = APPS.splitlines()
    changed = [number for number, line in enumerate(before, start=1) if after[number - 1] != line]
    assert changed == [2, 3, 4, 7]
    assert all(after[number - 1] == before[number - 1].replace("'bot'", "'core.bot'") for number in changed)
    assert {each.line for where, each in found.left() if where == "settings.py"} >= {5, 8, 10}


def test_an_application_that_would_have_another_label_and_so_other_tables_is_listed() -> None:
    found = rewriting({**SHOP, "settings.py": "INSTALLED_APPS = ['bot']\n"}, {"bot.py": "core/robot.py"})
    assert [each.line for where, each in found.left() if where == "settings.py"] == [1]
    assert "settings.py" not in {each.path for each in found.changed}


C_SOURCE = """\
/* shop.regime is looked up when it is needed */
module = PyImport_ImportModule("shop.regime");
label = shop.regime.label("a \\"shop.regime\\" here", shop.regime);
"""


def test_a_dotted_name_in_a_string_of_c_is_rewritten_and_listed_elsewhere() -> None:
    found = rewriting({**SHOP, "src/fast.c": C_SOURCE}, MOVES)
    after = found.files["src/fast.c"].after.decode()
    assert after.splitlines()[1:] == [
        'module = PyImport_ImportModule("shop.strategies.regime");',
        'label = shop.regime.label("a \\"shop.strategies.regime\\" here", shop.regime);',
    ]
    assert [each.line for where, each in found.left() if where == "src/fast.c"] == [1, 3, 3]


def test_modules_whose_last_words_are_told_apart_by_a_slash_are_listed() -> None:
    assert places("a.rst", "See shop.regime/api, shop.org/regime, https://shop.regime/.\n") == [1]


def test_a_sentence_that_ends_in_a_modules_word_is_none() -> None:
    assert places("run.py", "print('Start the bot.', 'grab-bot.')\n") == []


@pytest.mark.parametrize("others", [0, 40], ids=["few words", "many words"])
@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("run.py", "run([sys.executable, '-mbot'])\n", "run([sys.executable, '-mcore.bot'])\n"),
        ("run.py", "run('python -Imbot --fast')\n", "run('python -Imcore.bot --fast')\n"),
        ("Makefile", "run:\n\t$(PYTHON) -Wd -mbot\n", "run:\n\t$(PYTHON) -Wd -mcore.bot\n"),
        ("run.sh", "python3 -mshop.regime\n", "python3 -mshop.strategies.regime\n"),
        ("run.sh", "python3 --mbot -mrobot x-mbot\n", None),
    ],
)
def test_a_module_right_behind_pythons_option_is_rewritten(
    path: str, before: str, after: str | None, others: int
) -> None:
    moved = {f"part{number}.py": f"core/part{number}.py" for number in range(others)}
    found = rewriting({**SHOP, **dict.fromkeys(moved, ""), path: before}, {**MOVES, **moved})
    assert (found.files[path].after.decode() if path in found.files else None) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import_module(name='bot')\n", "import_module(name='core.bot')\n"),
        ("run_module(mod_name='bot')\n", "run_module(mod_name='core.bot')\n"),
        (
            "import_module(name='.regime', package='shop')\n",
            "import_module(name='.strategies.regime', package='shop')\n",
        ),
        ("__import__(name='bot')\n", "__import__(name='core.bot', fromlist=[\"__name__\"])\n"),
        ("patch(target='bot')\n", "patch(target='core.bot')\n"),
        ("monkeypatch.setattr(target=shop, name='bot', value=1)\n", None),
        ("find_spec(path, name='bot')\n", None),
    ],
)
def test_a_module_that_a_function_is_told_by_a_keyword_is_rewritten(before: str, after: str | None) -> None:
    found = rewriting({**SHOP, "run.py": before}, MOVES)
    assert found.files["run.py"].after.decode() == (after or before)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import shop\nshop.tables()\nshop.regime.label()\n", [3]),
        ("import shop\nimport shop.regime\nshop.regime.label(shop.tables())\n", [3]),
        ("import shop.regime\nshop.regime.label()\n", []),
        ("from shop import regime\nregime.label()\n", []),
    ],
)
def test_a_module_is_listed_where_its_package_has_become_a_plain_module(
    source: str, lines: list[int]
) -> None:
    found = rewriting({**SHOP, "run.py": source}, {"shop/__init__.py": "shop/base.py"})
    assert [each.line for path, each in found.left() if path == "run.py"] == lines


@pytest.mark.parametrize(
    ("path", "lines"), [("shop/api/routes.py", [2, 3]), ("shop/tables.py", [2, 3]), ("tests/lab.py", [])]
)
def test_files_that_code_counts_from_a_folder_above_are_listed(path: str, lines: list[int]) -> None:
    table = "FILES = [\n    'regime.py',\n    'labels/basic.py',\n    'rules.py',\n]\n"
    files = {**SHOP, "shop/labels/basic.py": "", path: table}
    moves = {
        "shop/regime.py": "shop/strategies/regime.py",
        "shop/labels/basic.py": "shop/strategies/basic.py",
    }
    found = rewriting(files, moves)
    assert [each.line for where, each in found.left() if where == path] == lines
    if lines:
        asked = RewriteOptions(probable=frozenset({ReferenceKind.PATH_IN_CODE}))
        after = rewriting(files, moves, asked).files[path].after.decode()
        assert after == table.replace("'regime.py'", "'strategies/regime.py'").replace(
            "labels/", "strategies/"
        )


def test_a_file_that_leaves_the_folder_it_is_counted_from_is_listed_and_left() -> None:
    files, moves = (
        {**SHOP, "shop/api/routes.py": "FILES = ['regime.py']\n"},
        {"shop/regime.py": "core/regime.py"},
    )
    asked = RewriteOptions(probable=frozenset({ReferenceKind.PATH_IN_CODE}))
    found = rewriting(files, moves, asked)
    assert [(path, each.line) for path, each in found.left()] == [("shop/api/routes.py", 1)]
