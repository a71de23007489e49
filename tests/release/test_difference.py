"""What changes from one release to the next, in words."""

import json

from magellan.release.difference import differences
from magellan.release.manifest import LOCK, Commit

from .conftest import CONFIG, Bench


def test_config_keys_packages_files_and_people_are_told_with_both_values(bench: Bench) -> None:
    before = bench.release(commit=Commit(id="a" * 40, is_clean=True))
    config = {**CONFIG, "parameters": {"slow": 60, "warm": [1, 2]}}
    after = bench.release(
        files={
            "strategy/config.json": json.dumps(config).encode(),
            "strategy/strategy.py": b"FAST = 12\nSLOW = 60\n",
            "engine/magellan/__init__.py": b"changed",
            LOCK: b"numpy==2.5.0 \\\n    --hash=sha256:bb\nscipy==1.17\n",
        },
        author="bob",
        commit=Commit(id="b" * 40, is_clean=False),
    )
    assert [(each.what, each.before, each.after) for each in differences(before, after)] == [
        ("author", "ada", "bob"),
        ("commit", "aaaaaaaaaaaa", "bbbbbbbbbbbb and edits"),
        ("config: parameters.fast", "10", "-"),
        ("config: parameters.slow", "50", "60"),
        ("config: parameters.warm", "-", "[1, 2]"),
        ("package: numpy", "2.4.0", "2.5.0"),
        ("package: scipy", "-", "1.17"),
        ("file: config.json", "91 bytes", "95 bytes"),
        ("file: strategy.py", "10 bytes", "20 bytes"),
        ("engine", "", "1 of its files differ"),
    ]


def test_a_release_does_not_differ_from_itself(bench: Bench) -> None:
    assert differences(bench.release(), bench.release()) == ()
