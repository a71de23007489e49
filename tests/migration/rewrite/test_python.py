"""What Python code says about a moved module, before and after: only the bytes of the name change."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from magellan.migration.mapping import FileMove
from magellan.migration.rewrite.reference import ReferenceKind, RewriteOptions
from magellan.migration.rewrite.renames import Renames
from magellan.migration.rewrite.rewriter import Rewriting, rewrite
from magellan.migration.source_tree import SourceTree

SHOP = {
    "shop/__init__.py": "from .tables import tables\n",
    "shop/regime.py": "class Label: ...\ndef label(): ...\n",
    "shop/rules.py": "",
    "shop/tables.py": "def tables(): ...\n",
    "shop/api/__init__.py": "",
    "shop/api/routes.py": "",
    "bot.py": "def run(): ...\n",
    "tests/lab.py": "",
    "tests/test_a.py": "",
}
MOVES = {"shop/regime.py": "shop/strategies/regime.py", "bot.py": "core/bot.py"}


def rewriting(
    files: Mapping[str, str | bytes],
    moves: dict[str, str],
    options: RewriteOptions | None = None,
    roots: tuple[str, ...] = ("", "src"),
) -> Rewriting:
    tree = SourceTree.of(
        {path: content.encode() if isinstance(content, str) else content for path, content in files.items()}
    )
    file_moves = tuple(FileMove(source=source, target=target) for source, target in moves.items())
    made = {target.rpartition("/")[0] + "/__init__.py" for target in moves.values() if "/" in target}
    return rewrite(tree, Renames(tree, file_moves, roots, sorted(made - set(files))), options)


def rewritten(
    before: str,
    *,
    path: str = "shop/api/routes.py",
    moves: dict[str, str] = MOVES,
    files: dict[str, str] = SHOP,
) -> str:
    found = rewriting({**files, path: before}, moves).files.get(path)
    return before if found is None else found.after.decode()


@pytest.mark.parametrize(
    "before",
    [
        "try:\n    from fast import regime\nexcept ImportError:\n    from . import regime\n",
        "try:\n    from . import regime\nexcept ImportError:\n    from slow import regime\n",
        "if sys.platform == 'win32':\n    from other import regime\nelse:\n    from . import regime as regime\n",
    ],
)
def test_a_submodule_that_is_one_of_two_a_package_takes_is_found_in_its_new_place(before: str) -> None:
    after = before.replace("from . import", "from .strategies import")
    assert rewritten(before, path="shop/__init__.py") == after
    user = "from shop import regime\n"
    assert rewritten(user, files={**SHOP, "shop/__init__.py": before}) == user


def test_what_a_package_may_have_bound_before_it_asks_itself_for_it_stays() -> None:
    before = "if x:\n    from fast import regime\nfrom . import regime\n"
    assert rewritten(before, path="shop/__init__.py") == before


@pytest.mark.parametrize("said", ["from shop", "from ."])
def test_a_submodule_that_its_package_can_do_without_is_found_in_its_new_place(said: str) -> None:
    before = f"try:\n    {said} import regime, rules\nexcept ImportError:\n    regime = rules = None\n"
    new = "shop.strategies" if "shop" in said else ".strategies"
    after = before.replace("regime, rules", f"rules\n    from {new} import regime", 1)
    assert rewritten(before, path="shop/__init__.py") == after
    # Others get what the package has: nothing, where there is none.
    user = "from shop import regime\n"
    files = {**SHOP, "shop/__init__.py": before}
    assert rewritten(user, files=files) == user
    assert rewritten(f"regime = 1\n{before}", path="shop/__init__.py") == f"regime = 1\n{before}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import shop.regime", "import shop.strategies.regime"),
        ("import shop.regime as r, os", "import shop.strategies.regime as r, os"),
        ("from shop.regime import Label  # why", "from shop.strategies.regime import Label  # why"),
        ("from ..regime import Label as L", "from ..strategies.regime import Label as L"),
        ("from ..regime import *", "from ..strategies.regime import *"),
        ("from .. import regime", "from ..strategies import regime"),
        ("from .. import regime as r", "from ..strategies import regime as r"),
        ("from shop import regime, rules", "from shop import rules\nfrom shop.strategies import regime"),
        (
            "from shop import rules, regime  # noqa: E1",
            "from shop import rules  # noqa: E1\nfrom shop.strategies import regime  # noqa: E1",
        ),
        (
            "if x: from shop import regime, rules",
            "if x: from shop import rules; from shop.strategies import regime",
        ),
        (
            "from shop import (\n    regime,  # a\n    rules,  # b\n)\n",
            "from shop import (\n    rules,  # b\n)\nfrom shop.strategies import regime  # a\n",
        ),
        (
            "from shop import rules, \\\n    regime\nx = 1\n",
            "from shop import rules\nfrom shop.strategies import regime\nx = 1\n",
        ),
        (
            "from shop import (rules, # a\n   # b\n   regime)  # c\n",
            "from shop import (rules, # a\n   # b\n   )  # c\nfrom shop.strategies import regime\n",
        ),
        (
            "from shop import (regime, # a\n   rules)\n",
            "from shop import ( # a\n   rules)\nfrom shop.strategies import regime\n",
        ),
        (
            "from shop import (rules, regime, # a\n  regime as r, # b\n)\n",
            "from shop import (rules,  # a\n)\nfrom shop.strategies import (\n    regime,\n    regime as r,  # b\n)\n",
        ),
        (
            "def f():\r\n\tfrom shop import rules, regime\r\n",
            "def f():\r\n\tfrom shop import rules\r\n\tfrom shop.strategies import regime\r\n",
        ),
        ("from shop import tables", "from shop import tables"),
        ("import bot", "from core import bot"),
        ("import bot, os", "import core.bot as bot, os"),
        ("import bot as b", "import core.bot as b"),
        ("from bot import run", "from core.bot import run"),
        (
            "try:\n  import bot\nexcept ImportError:\n  bot = None",
            "try:\n  from core import bot\nexcept ImportError:\n  bot = None",
        ),
        (
            "import shop.regime\nshop.regime.label()",
            "import shop.strategies.regime\nshop.strategies.regime.label()",
        ),
        (
            "import shop\nshop.regime.label(shop.rules)",
            "import shop\nshop.strategies.regime.label(shop.rules)",
        ),
        ("import shop as s\ns.regime.label()", "import shop as s\ns.strategies.regime.label()"),
        (
            "import shop.regime\ndef f(shop):\n    return shop.regime",
            "import shop.strategies.regime\ndef f(shop):\n    return shop.regime",
        ),
        ("x = import_module('shop.regime')", "x = import_module('shop.strategies.regime')"),
        ("x = __import__('bot')", "x = __import__('core.bot', fromlist=[\"__name__\"])"),
        (
            "__import__('shop.regime').regime.label(); x = 'y=__import__(\"shop.regime\").regime.Label'",
            "__import__('shop.strategies.regime').strategies.regime.label(); "
            "x = 'y=__import__(\"shop.strategies.regime\").strategies.regime.Label'",
        ),
        ("x = __import__('bot', fromlist=['run'])", "x = __import__('core.bot', fromlist=['run'])"),
        (
            "sys.modules['bot'], sys.modules.get('bot')",
            "sys.modules['core.bot'], sys.modules.get('core.bot')",
        ),
        ("'bot' in sys.modules, 'bot' in x", "'core.bot' in sys.modules, 'bot' in x"),
        (
            "patch.dict('sys.modules', {'bot': 'bot'}); m.setitem(sys.modules, 'bot', 'bot')",
            "patch.dict('sys.modules', {'core.bot': 'bot'}); m.setitem(sys.modules, 'core.bot', 'bot')",
        ),
        (
            "import shop\nx = (shop  # its\n     .regime\n     .label())",
            "import shop\nx = (shop  # its\n     .strategies.regime\n     .label())",
        ),
        ("@patch('bot.run')\ndef f(): ...", "@patch('core.bot.run')\ndef f(): ..."),
        ("@mock.patch.object(a, 'bot')\ndef f(): ...", "@mock.patch.object(a, 'bot')\ndef f(): ..."),
        (
            "monkeypatch.setattr('shop.regime.label', 1)",
            "monkeypatch.setattr('shop.strategies.regime.label', 1)",
        ),
        ("LAZY = {'Label': 'shop.regime:Label'}", "LAZY = {'Label': 'shop.strategies.regime:Label'}"),
        ("import_module('..regime', __package__)", "import_module('..strategies.regime', __package__)"),
        ("import_module('.regime', 'shop')", "import_module('.strategies.regime', 'shop')"),
        (
            "symbol_by_name('.regime:label', package='shop')",
            "symbol_by_name('.strategies.regime:label', package='shop')",
        ),
        ("x = '.regime', 'shop'", "x = '.regime', 'shop'"),
        (
            "def f(x: 'shop.regime.Label') -> 'list[shop.regime.Label]': ...",
            "def f(x: 'shop.strategies.regime.Label') -> 'list[shop.strategies.regime.Label]': ...",
        ),
        ("logging.getLogger('shop.regime')", "logging.getLogger('shop.strategies.regime')"),
        (
            "'''See `shop.regime.Label` and :mod:`~shop.regime`.'''",
            "'''See `shop.strategies.regime.Label` and :mod:`~shop.strategies.regime`.'''",
        ),
        (
            (
                "def f():\n    '''\n    >>> from shop.regime import Label\n"
                "    >>> from shop import regime, rules\n    '''\n"
            ),
            (
                "def f():\n    '''\n    >>> from shop.strategies.regime import Label\n"
                "    >>> from shop import rules; from shop.strategies import regime\n    '''\n"
            ),
        ),
        (
            r"m(r'shop\.regime\.Label', 'shop\\.regime')",
            r"m(r'shop\.strategies\.regime\.Label', 'shop\\.strategies\\.regime')",
        ),
        ("x = 1  # as shop.regime does\n", "x = 1  # as shop.strategies.regime does\n"),
        (
            "subprocess.run([sys.executable, '-m', 'bot'])",
            "subprocess.run([sys.executable, '-m', 'core.bot'])",
        ),
        ("run('python -m bot --fast')", "run('python -m core.bot --fast')"),
        ("open('shop/regime.py')", "open('shop/strategies/regime.py')"),
        (
            "x = 'shop.regimes', 'a.shop.regime', 'http://shop.regime/', 'regime', 'bot.toml'",
            "x = 'shop.regimes', 'a.shop.regime', 'http://shop.regime/', 'regime', 'bot.toml'",
        ),
        (
            "print 'old'\nfrom shop.regime import Label\n",
            "print 'old'\nfrom shop.strategies.regime import Label\n",
        ),
        ("\x0cimport shop.regime\x0c\r# x\r", "\x0cimport shop.strategies.regime\x0c\r# x\r"),
    ],
)
def test_only_the_bytes_of_a_name_change(before: str, after: str) -> None:
    assert rewritten(before) == after


@pytest.mark.parametrize(
    ("tables", "is_the_module"),
    [
        ("from shop import regime\n\n__all__ = ['table']\n\n\ndef table(): ...\n", True),
        ("from shop import regime\n\n\ndef table(): ...\n", True),
        ("from . import regime as regime\n", True),
        ("regime = 'calm'\n", False),
        ("__all__ = ['regime']\nregime = 'calm'\n", False),
        ("__all__ = ['table']\nregime = 'calm'\n", True),
        ("__all__ = ['table']\n__all__.append('regime')\nregime = 'calm'\n", False),
        ("from .rules import label as regime\n", False),
    ],
)
def test_a_star_import_hides_a_module_only_behind_something_else(tables: str, *, is_the_module: bool) -> None:
    files = {**SHOP, "shop/__init__.py": "from .tables import *\n", "shop/tables.py": tables}
    after = "from shop.strategies import regime\n" if is_the_module else "from shop import regime\n"
    assert rewritten("from shop import regime\n", files=files) == after


@pytest.mark.parametrize(
    ("path", "to", "before", "after"),
    [
        (
            "shop/api/routes.py",
            "shop/routes.py",
            "from ..rules import a\nfrom . import x",
            "from .rules import a\nfrom .api import x",
        ),
        (
            "shop/rules.py",
            "shop/api/rules.py",
            "from .regime import L\nfrom . import tables\nfrom .api import y",
            "from ..regime import L\nfrom .. import tables\nfrom . import y",
        ),
        ("shop/rules.py", "other/rules.py", "from .regime import Label", "from shop.regime import Label"),
        (
            "tests/test_a.py",
            "tests/unit/test_a.py",
            "import lab\nfrom lab import x",
            "from tests import lab\nfrom tests.lab import x",
        ),
    ],
)
def test_what_a_moved_file_imports_is_found_from_its_new_place(
    path: str, to: str, before: str, after: str
) -> None:
    assert rewritten(before, path=path, moves={path: to}) == after


def test_a_package_moves_with_its_own_relative_imports() -> None:
    moves = {path: path.replace("shop/api", "shop/web") for path in SHOP if path.startswith("shop/api")}
    files = {**SHOP, "shop/api/__init__.py": "from .routes import go\nfrom ..rules import a\n"}
    found = rewriting({**files, "main.py": "import shop.api.routes\nfrom shop import api\n"}, moves).files
    assert "shop/api/__init__.py" not in found
    assert found["main.py"].after.decode() == "import shop.web.routes\nfrom shop import web as api\n"


def test_files_below_a_source_root_keep_the_root_out_of_their_names() -> None:
    files = {"src/shop/__init__.py": "", "src/shop/a.py": "", "t.py": "import shop.a\nimport src.shop.a\n"}
    found = rewriting(files, {"src/shop/a.py": "src/shop/b/a.py"}).files
    assert found["t.py"].after.decode() == "import shop.b.a\nimport src.shop.b.a\n"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig", "cp1252"])
def test_encodings_and_marks_survive(encoding: str) -> None:
    cookie = "" if encoding.startswith("utf") else f"# -*- coding: {encoding} -*-\n"
    content = f"{cookie}é = 'ü'; import shop.regime  # ä\r\n"
    tree = SourceTree.of({**dict.fromkeys(SHOP, b""), "a.py": content.encode(encoding)})
    moves = (FileMove(source="shop/regime.py", target="shop/s/regime.py"),)
    found = rewrite(tree, Renames(tree, moves, ("",)))
    assert found.files["a.py"].after == content.replace("shop.regime", "shop.s.regime").encode(encoding)


def test_each_kind_can_be_switched_off_and_is_then_listed() -> None:
    source = "import shop.regime\n'''shop.regime'''\n"
    found = rewriting(
        {**SHOP, "a.py": source}, MOVES, RewriteOptions(off=frozenset({ReferenceKind.DOCSTRING}))
    )
    assert found.files["a.py"].after.decode() == "import shop.strategies.regime\n'''shop.regime'''\n"
    assert [(path, each.kind, each.line) for path, each in found.left() if path == "a.py"] == [
        ("a.py", ReferenceKind.DOCSTRING, 2)
    ]


def test_what_is_only_probable_is_listed_and_changed_on_request() -> None:
    source = "x = 'bot'\nopen('bot.py')\n"
    plain = rewriting({**SHOP, "a.py": source}, MOVES)
    assert plain.files["a.py"].after.decode() == source
    assert [each.line for path, each in plain.left() if path == "a.py"] == [1, 2]
    asked = RewriteOptions(probable=frozenset({ReferenceKind.STRING, ReferenceKind.PATH_IN_CODE}))
    changed = rewriting({**SHOP, "a.py": source}, MOVES, asked)
    assert changed.files["a.py"].after.decode() == "x = 'core.bot'\nopen('core/bot.py')\n"


def test_paths_counted_from_a_moved_files_own_place_are_listed() -> None:
    moved = "from pathlib import Path\nHERE = Path(__file__).parent\n"
    found = rewriting({**SHOP, "bot.py": moved}, MOVES)
    assert [(path, each.kind, each.line) for path, each in found.left()] == [
        ("bot.py", ReferenceKind.FILE_ARITHMETIC, 2)
    ]


def test_a_submodule_in_all_and_a_pickle_that_names_a_module_are_listed() -> None:
    files = {
        **SHOP,
        "shop/__init__.py": "__all__ = ['regime', 'rules']\n",
        "state.pkl": "\x80cshop.regime\nLabel",
    }
    found = rewriting(files, MOVES)
    assert [(path, each.kind) for path, each in found.left()] == [
        ("shop/__init__.py", ReferenceKind.ALL),
        ("state.pkl", ReferenceKind.PICKLE),
    ]


def test_a_file_in_an_unknown_encoding_is_left_alone_and_said() -> None:
    tree = SourceTree.of(
        {
            "shop/regime.py": b"",
            "a.py": b"# coding: nonsense\nimport shop.regime\n",
            "b.py": b"\xff import shop.regime",
        }
    )
    moves = (FileMove(source="shop/regime.py", target="core/regime.py"),)
    found = rewrite(tree, Renames(tree, moves, ("",)))
    assert [each.path for each in found.changed] == []
    assert all("encoding" in found.files[path].problem for path in ("a.py", "b.py"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import app\napp.regime.label()\n", "import app\napp.parts.strategies.regime.label()\n"),
        (
            "from app import regime\nregime.label()\n",
            "from app.parts.strategies import regime\nregime.label()\n",
        ),
        ("import app\napp.rules.all()\n", "import app\napp.rules.all()\n"),
        ("from app import rules\nrules.all()\n", "from app import rules\nrules.all()\n"),
    ],
)
def test_a_module_that_a_star_gives_on_is_found_through_the_package_that_takes_it(
    before: str, after: str
) -> None:
    files = {
        "app/__init__.py": "from .parts import *\n",
        "app/parts/__init__.py": "from .regime import *\nfrom .rules import *\n",
        "app/parts/regime.py": "def label(): ...\n",
        "app/parts/rules.py": "",
    }
    moves = {"app/parts/regime.py": "app/parts/strategies/regime.py"}
    assert rewritten(before, path="use.py", moves=moves, files=files) == after


TEXTS = {
    "pyproject.toml": (
        (
            '[project.scripts]\nrun = "bot:run"\nlabel = "shop.regime:label"\n[tool.mypy]\n'
            'files = ["shop/regime.py", "bot.py"]\n'
        ),
        (
            '[project.scripts]\nrun = "core.bot:run"\nlabel = "shop.strategies.regime:label"\n'
            '[tool.mypy]\nfiles = ["shop/strategies/regime.py", "core/bot.py"]\n'
        ),
    ),
    "Dockerfile": (
        'CMD ["python", "bot.py"]\nRUN python -m shop.regime\n',
        'CMD ["python", "core/bot.py"]\nRUN python -m shop.strategies.regime\n',
    ),
    "deploy/bot.service": ("ExecStart=/usr/bin/python -m bot\n", "ExecStart=/usr/bin/python -m core.bot\n"),
    ".github/workflows/ci.yml": (
        "  - run: pytest --cov=shop.regime && python bot.py\n",
        "  - run: pytest --cov=shop.strategies.regime && python core/bot.py\n",
    ),
    "mypy.ini": (
        "[mypy-shop.regime]\n[mypy-bot,shop.regime.*]\n[mypy-shop-bot]\n",
        "[mypy-shop.strategies.regime]\n[mypy-core.bot,shop.strategies.regime.*]\n[mypy-shop-bot]\n",
    ),
    ".gitignore": ("/shop/regime.py\n!/bot.py\n", "/shop/strategies/regime.py\n!/core/bot.py\n"),
    ".github/CODEOWNERS": ("/bot.py @ada\n", "/core/bot.py @ada\n"),
    ".pre-commit-config.yaml": (
        "files: ^shop/regime\\.py$\nexclude: (a/shop/regime\\.py)\n",
        "files: ^shop/strategies/regime\\.py$\nexclude: (a/shop/regime\\.py)\n",
    ),
    "docker/Dockerfile": (
        'CMD ["python", "-m", "bot"]\n# args: [-m, bot]\n',
        'CMD ["python", "-m", "core.bot"]\n# args: [-m, core.bot]\n',
    ),
    "tox.ini": ("commands = pytest --cov bot\n", "commands = pytest --cov core.bot\n"),
    "docs/api.rst": (
        ".. automodule:: bot\n\n:mod:`bot` and :class:`it <bot.run>`, not bot.\n",
        ".. automodule:: core.bot\n\n:mod:`core.bot` and :class:`it <core.bot.run>`, not bot.\n",
    ),
    "Makefile": ("run:\n\tpython ./bot.py\n", "run:\n\tpython ./core/bot.py\n"),
    "logging.yaml": (
        "loggers:\n  shop.regime:\n    level: INFO\n",
        "loggers:\n  shop.strategies.regime:\n    level: INFO\n",
    ),
    "README.md": (
        "See [it](shop/regime.py).\n\n```python\nimport bot\nfrom shop.regime import Label\n```\n",
        (
            "See [it](shop/strategies/regime.py).\n\n```python\nfrom core import bot\n"
            "from shop.strategies.regime import Label\n```\n"
        ),
    ),
    "docs/guide.rst": (
        ".. automodule:: shop.regime\n\n`up <../shop/regime.py>`_\n",
        ".. automodule:: shop.strategies.regime\n\n`up <../shop/strategies/regime.py>`_\n",
    ),
    "try.ipynb": (
        '{"source": ["import bot\\n", "from shop import regime, rules\\n", "x = shop.regime"]}',
        (
            '{"source": ["from core import bot\\n'
            '", "from shop import rules; from shop.strategies import regime\\n'
            '", "x = shop.strategies.regime"]}'
        ),
    ),
    "CHANGELOG.md": ("- `shop.regime` was born\n", "- `shop.regime` was born\n"),
    "values.csv": ("shop.regime,1\n", "shop.regime,1\n"),
}


@pytest.mark.parametrize("path", TEXTS)
def test_other_files_name_modules_and_paths_too(path: str) -> None:
    before, after = TEXTS[path]
    assert rewritten(before, path=path) == after


PREFIXED = {
    "ExecStart=/opt/app/bot.py --fast": "ExecStart=/opt/app/core/bot.py --fast",
    "python3 ~/app/shop/regime.py": "python3 ~/app/shop/strategies/regime.py",
    "cp $HOME/app/bot.py ${TARGET}/x": "cp $HOME/app/core/bot.py ${TARGET}/x",
    "ExecStart=%h/app/bot.py": "ExecStart=%h/app/core/bot.py",
    "see https://example.org/bot.py": "see https://example.org/bot.py",
    "/opt/app/other_bot.py /opt/bot.py/x /opt/bot": "/opt/app/other_bot.py /opt/bot.py/x /opt/bot",
}


@pytest.mark.parametrize(("before", "after"), PREFIXED.items())
def test_a_path_behind_a_servers_prefix_is_listed_and_changed_on_request(before: str, after: str) -> None:
    files = {**SHOP, "deploy/bot.service": f"[Service]\n{before}\n"}
    listed = rewriting(files, MOVES).files.get("deploy/bot.service")
    assert listed is None or listed.after == listed.before
    places = [] if listed is None else [(each.line, each.certain) for each in listed.references]
    assert places == ([] if after == before else [(2, False)])
    asked = RewriteOptions(probable=frozenset({ReferenceKind.PATH}))
    changed = rewriting(files, MOVES, asked).files.get("deploy/bot.service")
    assert (before if changed is None else changed.after.decode().splitlines()[1]) == after


WHOLE = {"shop/__init__.py": "core/shop/__init__.py", "shop/regime.py": "core/shop/regime.py"}
PLAIN = {"shop/__init__.py": "shop/base.py"}


@pytest.mark.parametrize(
    ("moves", "before", "after"),
    [
        # `shop` is bound by an import that says another name then.
        (
            WHOLE,
            "import shop.regime\nshop.regime.label(shop.tables())",
            "import core.shop.regime\ncore.shop.regime.label(core.shop.tables())",
        ),
        (
            {"shop/regime.py": "core/regime.py"},
            "import shop.regime\nshop.regime.label(shop.tables())",
            "import core.regime, shop\ncore.regime.label(shop.tables())",
        ),
        (
            {"shop/regime.py": "core/regime.py"},
            "import shop.regime\nshop.rules.check()",
            "import core.regime, shop\nshop.rules.check()",
        ),
        # `shop` is a package without contents of its own then.
        (
            PLAIN,
            "import shop.regime\nshop.regime.label(shop.tables())",
            "import shop.regime, shop.base\nshop.regime.label(shop.base.tables())",
        ),
        (PLAIN, "import shop\nshop.tables()", "import shop.base as shop\nshop.tables()"),
    ],
)
def test_a_package_is_still_found_by_a_name_that_only_an_import_of_its_module_bound(
    moves: dict[str, str], before: str, after: str
) -> None:
    assert rewritten(before, path="run.py", moves=moves) == after


LAZY = (
    "def __getattr__(name):\n    import importlib\n    return importlib.import_module('.' + name, __name__)\n"
)
OLD_NAMES = (
    "    if name == 'OldRegime':\n        warnings.warn(f'{name} is old', DeprecationWarning)\n        return Regime\n"
    "    raise AttributeError(f'no {name}')\n"
)


@pytest.mark.parametrize(
    ("package", "before", "after"),
    [
        (
            LAZY,
            "import shop\nshop.regime.label()",
            "import shop, shop.strategies.regime\nshop.strategies.regime.label()",
        ),
        (
            LAZY,
            "import shop, shop.regime\nshop.regime.label()",
            "import shop, shop.strategies.regime\nshop.strategies.regime.label()",
        ),
        (
            LAZY,
            "import shop\nshop.regime.label()\nfrom shop.regime import label",
            "import shop, shop.strategies.regime\nshop.strategies.regime.label()\n"
            "from shop.strategies.regime import label",
        ),
        (
            LAZY,
            "import shop\nif x:\n    from shop.regime import label\nshop.regime.label()",
            "import shop, shop.strategies.regime\nif x:\n    from shop.strategies.regime import label\n"
            "shop.strategies.regime.label()",
        ),
        (
            f"def __getattr__(name):\n    if name == 'regime':\n        return load()\n{OLD_NAMES}",
            "import shop\nshop.regime.label()",
            "import shop, shop.strategies.regime\nshop.strategies.regime.label()",
        ),
        # It is loaded above.
        (
            LAZY,
            "import shop\nfrom shop.regime import label\nshop.regime.label()",
            "import shop\nfrom shop.strategies.regime import label\nshop.strategies.regime.label()",
        ),
        # The package loads it itself, or is asked for other names, or nobody can tell what loads it: it is as it was.
        (
            f"def __getattr__(name):\n{OLD_NAMES}",
            "import shop\nshop.regime.label()",
            "import shop\nshop.strategies.regime.label()",
        ),
        (
            f"from . import regime\n{LAZY}",
            "import shop\nshop.regime.label()",
            "import shop\nshop.strategies.regime.label()",
        ),
        ("", "import shop\nshop.regime.label()", "import shop\nshop.strategies.regime.label()"),
    ],
)
def test_what_a_package_loaded_when_it_was_asked_for_it_is_imported_from_its_new_place(
    package: str, before: str, after: str
) -> None:
    files = {**SHOP, "shop/__init__.py": package}
    assert rewritten(before, path="run.py", files=files) == after


def test_a_lazy_package_that_moves_as_a_whole_goes_on_loading_its_modules() -> None:
    files = {**SHOP, "shop/__init__.py": LAZY}
    after = rewritten("import shop\nshop.regime.label()", path="run.py", files=files, moves=WHOLE)
    assert after == "from core import shop\nshop.regime.label()"
