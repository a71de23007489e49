"""Imports that are tried: what each may do, and the few causes behind many failures."""

from pathlib import Path

import pytest

from magellan.adapters.local.import_sandbox.sandbox import LocalImportSandbox
from magellan.errors import FixInput
from magellan.migration.scan.activation import ImportToTry, Isolation, Touch, TriedImport, causes

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
}


def tried(root: Path, *, namespaces: bool, extra: dict[str, str] | None = None) -> dict[str, TriedImport]:
    tree = root / "tree"
    tree.mkdir()
    for name, source in {**MODULES, **(extra or {})}.items():
        (tree / f"{name}.py").write_text(source)
    box = LocalImportSandbox(
        tree, workers=2, time_limit_s=1.5, memory_limit_bytes=1 << 30, namespaces=namespaces
    )
    if namespaces and box.isolation is not Isolation.NAMESPACES:
        pytest.skip("this system gives no user namespaces to users")
    asked = [ImportToTry(path=path.name, name=path.stem, search=("",)) for path in sorted(tree.glob("*.py"))]
    before = sorted(path.name for path in tree.rglob("*"))
    found = {Path(each.path).stem: each for each in box.try_imports(asked)}
    assert sorted(path.name for path in tree.rglob("*")) == before
    return found


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
        "escapes": found["escapes"].error,
    }
    assert found["escapes"].error in ("OSError", "PermissionError")
    assert not outside.exists()
    assert (Touch.NETWORK, "192.0.2.1") in found["network"].touched
    assert (Touch.WRITE, "logs/a") in found["writes"].touched
    assert found["crashes"].message == "signal 11"
    assert found["also_missing"].place == "missing.py:1"


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


def test_an_interpreter_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(FixInput, match="cannot be started"):
        LocalImportSandbox(tmp_path, python=str(tmp_path / "python"))
