"""Imports that are tried: what each may do, and the few causes behind many failures."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from magellan.adapters.local.import_sandbox.sandbox import LocalImportSandbox
from magellan.errors import FixInput
from magellan.migration.scan.activation import Activation, ImportToTry, Isolation, Touch, TriedImport, causes
from magellan.migration.scan.scanned_file import read_file
from magellan.migration.scan.structure import imports_to_try, structure_of
from magellan.migration.source_tree import SourceTree

MODULES = {
    "fine": "import json\n",
    "missing": "import core.thing\n",
    "also_missing": "import missing\n",
    "syntax": "def (:\n",
    "network": "import socket\nsocket.create_connection(('192.0.2.1', 80))\n",
    "process": "import subprocess\nsubprocess.run(['true'])\n",
    "writes": "import os\nos.makedirs('logs')\nopen('logs/a', 'w').write('x')\n",
    "endless": "while True:\n    pass\n",
    "memory": "x = bytearray(1 << 31)\n",
    "leaves": "raise SystemExit(3)\n",
    "crashes": "import ctypes\nctypes.string_at(0)\n",
    "no_file": "open('settings.json')\n",
    "speaks": "print('{\"error\": 1}' * 100000)\nopen('error', 'w').close()\n",
    "sleeps": "import time\ntime.sleep(600)\n",
    "waits": "import sleeps\n",
    "exits": "import os\nos._exit(0)\n",
    "closes": "import os\nos.closerange(3, 256)\n",
    "leaves_a_thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=False).start()\n"
    ),
    "listens": "import socket\nsocket.socket().bind(('127.0.0.1', 0))\n",
}


def tried(root: Path, *, namespaces: bool, extra: dict[str, str] | None = None) -> dict[str, TriedImport]:
    tree = root / "tree"
    tree.mkdir()
    for name, source in {**MODULES, **(extra or {})}.items():
        (tree / f"{name}.py").write_text(source)
    box = LocalImportSandbox(
        tree, workers=4, time_limit_s=1.0, memory_limit_bytes=1 << 30, namespaces=namespaces
    )
    if namespaces and box.isolation is not Isolation.NAMESPACES:
        pytest.skip("this system gives no user namespaces to users")
    asked = [ImportToTry(path=path.name, name=path.stem, search=("",)) for path in sorted(tree.glob("*.py"))]
    before = sorted(path.name for path in tree.rglob("*"))
    found = {Path(each.path).stem: each for each in box.try_imports(asked)}
    assert sorted(path.name for path in tree.rglob("*")) == before
    return found


def test_a_module_of_a_package_does_not_stand_for_one_of_pythons_own(tmp_path: Path) -> None:
    sources = {
        "shop/__init__.py": "",
        "shop/contextvars.py": "from . import rules\n",
        "shop/rules.py": "import contextvars\ncontextvars.ContextVar\nimport beside\n",
        "shop/beside.py": "",
    }
    for path, source in sources.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(source)
    texts = {path: source.encode() for path, source in sources.items()}
    read = [read_file(path, 0, texts.__getitem__) for path in sorted(texts)]
    structure = structure_of(SourceTree.of(texts), read, lambda name: False, None)
    box = LocalImportSandbox(tmp_path, workers=1, time_limit_s=5.0, memory_limit_bytes=1 << 30)
    assert [
        (each.path, each.message) for each in box.try_imports(imports_to_try(structure)) if each.error
    ] == []


@pytest.mark.parametrize("namespaces", [True, False])
def test_an_import_is_tried_and_nothing_of_it_stays(tmp_path: Path, namespaces: bool) -> None:
    outside = tmp_path / "outside"
    found = tried(
        tmp_path, namespaces=namespaces, extra={"escapes": f"open({str(outside)!r}, 'w').write('x')\n"}
    )
    assert {name: each.error for name, each in found.items()} == {
        "fine": "",
        "missing": "ModuleNotFoundError",
        "also_missing": "ModuleNotFoundError",
        "syntax": "SyntaxError",
        "network": "PermissionError",
        "process": "PermissionError",
        "writes": "",
        "endless": "TimeLimit",
        "memory": "MemoryError",
        "leaves": "SystemExit",
        "crashes": "Died",
        "no_file": "FileNotFoundError",
        "speaks": "",
        "sleeps": "TimeLimit",
        "waits": "TimeLimit",
        "exits": "Died",
        "closes": "Died",
        "leaves_a_thread": "",
        "listens": "",
        "escapes": found["escapes"].error,
    }
    assert found["escapes"].error in ("OSError", "PermissionError")
    assert not outside.exists()
    assert (Touch.NETWORK, "192.0.2.1") in found["network"].touched
    assert (Touch.WRITE, "logs/a") in found["writes"].touched
    assert found["crashes"].message == "signal 11"
    places = {name: found[name].place for name in ("crashes", "endless", "sleeps", "waits")}
    assert places.pop("endless") in ("endless.py:1", "endless.py:2")
    assert places == {"crashes": "crashes.py:2", "sleeps": "sleeps.py:2", "waits": "sleeps.py:2"}
    assert found["exits"].message == "exit status 0 without a word"
    assert found["also_missing"].place == "missing.py:1"


def test_a_module_beside_others_is_found_by_its_own_name_only_where_it_is_missed(tmp_path: Path) -> None:
    known = "try:\n    import known\nexcept ImportError:\n    pass\nelse:\n    raise ValueError('twice')\n"
    sources = {
        "shop/__init__.py": "",
        "shop/known.py": known,
        "store/__init__.py": "",
        "store/bare.py": "import other\n",
        "store/other.py": "import gone\n",
    }
    for path, source in sources.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(source)
    asked = [
        ImportToTry(path="shop/known.py", name="shop.known", search=("",), search_last=("shop",)),
        ImportToTry(path="store/bare.py", name="store.bare", search=("",), search_last=("store",)),
    ]
    box = LocalImportSandbox(tmp_path, workers=1, time_limit_s=20.0)
    found = {each.path: (each.error, each.missing) for each in box.try_imports(asked)}
    assert found == {"shop/known.py": ("", ""), "store/bare.py": ("ModuleNotFoundError", "gone")}


def test_many_failures_are_put_under_their_few_causes() -> None:
    found = causes(
        [
            TriedImport(path="a.py", error="ModuleNotFoundError", missing="core.x", place="a.py:1"),
            TriedImport(path="b.py", error="ModuleNotFoundError", missing="core", place="a.py:1"),
            TriedImport(path="c.py", error="SyntaxError", message="invalid syntax", place="d.py:7"),
            TriedImport(
                path="e.py",
                error="ImportError",
                message="cannot import name 'f' from partially initialized module 'g' "
                "(most likely due to a circular import)",
            ),
            TriedImport(path="h.py", error=""),
        ]
    )
    assert (found[0].what, found[0].breaks) == ("no module core", ("a.py", "b.py"))
    assert {each.what for each in found[1:]} == {
        "syntax error at d.py:7: invalid syntax",
        "g is imported in a circle",
    }


def test_what_is_not_installed_and_what_the_environment_does_not_say_are_told_from_missing_modules() -> None:
    found = causes(
        [
            TriedImport(path="conf.py", error="PackageNotFoundError", missing="shop.fast", place="conf.py:2"),
            TriedImport(
                path="views.py",
                error="ImproperlyConfigured",
                message="You must define the environment variable SHOP_SETTINGS",
                place="views.py:3",
            ),
        ]
    )
    assert [(each.what.partition(":")[0], each.next_step) for each in found] == [
        (
            "ImproperlyConfigured at views.py",
            "imports are tried with an empty environment: nothing to mend",
        ),
        (
            "shop.fast is not installed, and its version is asked for at conf.py",
            "install it, this project too, and name that interpreter with --python",
        ),
    ]


def test_when_the_time_for_all_is_up_the_rest_is_not_tried(tmp_path: Path) -> None:
    asked = []
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.py").write_text("" if name == "a" else "import time\ntime.sleep(600)\n")
        asked.append(ImportToTry(path=f"{name}.py", name=name, search=("",)))
    box = LocalImportSandbox(tmp_path, workers=1, time_limit_s=60.0)
    tried = list(box.try_imports(asked, within_s=1.0))
    found = Activation.of(box.isolation, asked, tried)
    assert ([each.path for each in found.tried], found.not_tried) == (["a.py"], ("b.py", "c.py"))


def test_what_imports_a_module_that_never_ends_is_tried_last(tmp_path: Path) -> None:
    order = ("slow", "far", "near", "fine")
    sources = {"slow": "while True:\n    pass\n", "near": "import slow\n", "far": "import near\n", "fine": ""}
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    asked = [ImportToTry(path=f"{name}.py", name=name, search=("",)) for name in order]
    imports = {"far.py": frozenset({"near.py"}), "near.py": frozenset({"slow.py"})}
    box = LocalImportSandbox(tmp_path, workers=1, time_limit_s=1.0)
    answers = box.try_imports(asked, imports)
    assert [next(answers).path for _ in range(2)] == ["slow.py", "fine.py"]
    begun = time.monotonic()
    answers.close()  # nobody wants to hear of the others
    assert time.monotonic() - begun < 1.0


@pytest.mark.parametrize("namespaces", [True, False])
def test_a_scan_that_is_killed_leaves_nothing_behind(tmp_path: Path, namespaces: bool) -> None:
    tree, temporary = tmp_path / "tree", tmp_path / "tmp"
    tree.mkdir()
    temporary.mkdir()
    (tree / "sleeps.py").write_text("import time\ntime.sleep(600)\n")
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from magellan.adapters.local.import_sandbox.sandbox import LocalImportSandbox\n"
        "from magellan.migration.scan.activation import ImportToTry\n"
        f"box = LocalImportSandbox(Path({str(tree)!r}), time_limit_s=60.0, namespaces={namespaces})\n"
        "print(box.isolation, flush=True)\n"
        "print(list(box.try_imports([ImportToTry(path='sleeps.py', name='sleeps', search=('',))])))\n"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as scan:
        assert scan.stdout is not None
        isolation = Isolation(scan.stdout.readline().decode().strip())
        if namespaces and isolation is not Isolation.NAMESPACES:
            scan.kill()
            pytest.skip("this system gives no user namespaces to users")
        begun = _wait_for(lambda: _below(scan.pid), lambda found: len(found) >= (3 if namespaces else 2))
        scan.kill()
    _wait_for(lambda: [pid for pid in begun if _is_running(pid)], lambda left: not left)
    assert list(temporary.iterdir()) == []


def test_what_a_killed_sandbox_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    left = tmp_path / "tmp" / "magellan-import-left"
    (left / "tree").mkdir(parents=True)
    (left / "lock").touch()
    os.utime(left, (1, 1))
    (tmp_path / "tree").mkdir()
    LocalImportSandbox(tmp_path / "tree", namespaces=False)
    assert list((tmp_path / "tmp").iterdir()) == []


def _wait_for(look: Callable[[], list[int]], is_there: Callable[[list[int]], bool]) -> list[int]:
    until = time.monotonic() + 20
    while not is_there(found := look()):
        assert time.monotonic() < until, found
        time.sleep(0.02)
    return found


def _below(pid: int) -> list[int]:
    """Processes that it began, and theirs."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            after_name = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
    found, new = [], [pid]
    while new:
        new = [child for each in new for child in children.get(each, [])]
        found += new
    return found


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_interpreter_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(FixInput, match="cannot be started"):
        LocalImportSandbox(tmp_path, python=str(tmp_path / "python"))
