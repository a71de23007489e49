"""From categories to a mapping: what moves, what stays, and what a person said."""

import json
from pathlib import Path

import pytest

from journeys.desk import run
from magellan.adapters.local.threads import ThreadExecutor
from magellan.migration.categories.proposal import Proposal, propose
from magellan.migration.categories.questions import questions_about
from magellan.migration.categories.rules import CategoryRules, read_rules
from magellan.migration.mapping import MappedMove, MigrationMapping, mapping_text, parse_mapping
from magellan.migration.source_tree import SourceTree
from magellan.usecases.migrate_scan import scan_tree

INDICATOR = b"import talib\n\n\nclass MacdIndicator(Indicator):\n    def macd(self): ...\n"
EXECUTOR = b"class OrderExecutor(Executor):\n    def submit_order(self): ...\n    def fill_order(self): ...\n"
FILES = {
    "macd_indicator.py": INDICATOR,
    "order_executor.py": EXECUTOR,
    "use.py": b"import macd_indicator\n\n\ndef zorp(): ...\n",
    "aardvark.py": b"x = 1\n",
    "README.md": b"# Read me\n",
    "NOTES.md": b"# Notes\n",
    "tests/test_it.py": b"def test_it(): ...\n",
}


def proposed(
    files: dict[str, bytes], *, earlier: MigrationMapping | None = None, installed: str = "", root: str = ""
) -> Proposal:
    rules: CategoryRules = read_rules(None).model_copy(update={"root": root})
    tree = SourceTree.of(files)
    scan = scan_tree(tree, rules, executor=ThreadExecutor(1), is_installed=lambda name: name == "talib")
    return propose(scan, rules, lambda name: name == installed, earlier=earlier)


def targets(found: Proposal) -> dict[str, str]:
    return {move.source: move.target for move in found.mapping.moves}


def test_who_is_sure_moves_and_who_is_not_is_listed() -> None:
    found = proposed(FILES)
    assert targets(found)["macd_indicator.py"].startswith("strategies/")
    assert targets(found)["order_executor.py"].startswith("execution/")
    assert "aardvark.py" in {each.path for each in found.undecided}
    assert not any("misc" in target for target in targets(found).values())


def test_what_tools_look_for_stays_and_so_does_what_is_there_already() -> None:
    found = targets(proposed(FILES))
    assert found["NOTES.md"] == "docs/NOTES.md"
    assert "README.md" not in found and "tests/test_it.py" not in found


def test_what_was_put_away_stays_there() -> None:
    assert not targets(proposed({"archive/old/order_executor.py": EXECUTOR}))
    assert not targets(proposed({"docs/order_executor.py": EXECUTOR, "doc/source/order_fill.py": EXECUTOR}))


@pytest.mark.parametrize("folder", ["test", "shop/test", "shop/pricing/test"])
def test_tests_stay_in_a_folder_of_their_own_with_what_they_read(folder: str) -> None:
    found = proposed(
        {f"{folder}/test_it.py": b"def test_it(): ...\n", f"{folder}/cases/test_E10.py": b"x = 1\n"}
    )
    assert not targets(found)


def test_nobody_is_asked_about_a_file_that_stays_whatever_he_answers() -> None:
    stays = {"setup.py": b"import unheard\n", "test/checked.py": b"x = 1\n", "noxfile.py": b"y = 1\n"}
    scan = scan_tree(
        SourceTree.of({**stays, "aardvark.py": b"x = 1\n"}),
        read_rules(None),
        executor=ThreadExecutor(1),
        is_installed=lambda name: False,
    )
    assert [each.path for each in questions_about(scan, read_rules(None), 12)] == ["aardvark.py"]


def test_a_name_that_no_mapping_can_say_is_not_proposed() -> None:
    odd = "macd_indicator_\udce9.py"
    assert {"macd_indicator_e.py", odd} & targets(
        proposed({**FILES, odd: INDICATOR, "macd_indicator_e.py": INDICATOR})
    ).keys() == {"macd_indicator_e.py"}


def test_the_proposal_is_a_mapping_that_can_be_read_again() -> None:
    mapping = proposed(FILES).mapping
    assert parse_mapping(mapping_text(mapping), name="m.json") == mapping
    assert mapping.package_files["strategies/__init__.py"].startswith('"""Strategies: ')


def test_an_old_path_that_somebody_imports_is_proposed_a_shim() -> None:
    moves = {move.source: move for move in proposed(FILES).mapping.moves}
    assert moves["macd_indicator.py"].shim is True
    assert moves["order_executor.py"].shim is False


def test_two_files_for_one_path_are_not_moved_until_they_have_names() -> None:
    found = proposed({"a/order_executor.py": EXECUTOR, "b/order_executor.py": EXECUTOR + b"x = 1\n"})
    (collision,) = found.collisions
    assert collision.sources == ("a/order_executor.py", "b/order_executor.py")
    assert not targets(found)


def test_a_new_package_with_the_name_of_an_installed_one_is_told() -> None:
    found = proposed(FILES, installed="strategies")
    assert [(each.name, each.with_what) for each in found.clashes] == [
        ("strategies", "the installed package strategies")
    ]
    assert proposed(FILES, installed="strategies", root="shop").clashes == ()


def test_what_a_person_wrote_stays_when_the_tree_is_looked_at_again() -> None:
    first = proposed(FILES).mapping
    moves = [
        MappedMove.model_validate({**move.model_dump(by_alias=True), "to": "mine/here.py"})
        if move.source == "order_executor.py"
        else move
        for move in first.moves
    ]
    moves.append(MappedMove.model_validate({"from": "use.py", "to": "use.py"}))
    moves.append(MappedMove.model_validate({"from": "gone.py", "to": "core/gone.py"}))
    edited = first.model_copy(update={"moves": tuple(moves)})
    found = proposed({**FILES, "rsi_indicator.py": INDICATOR.replace(b"acd", b"si")}, earlier=edited)
    assert targets(found)["order_executor.py"] == "mine/here.py"
    assert targets(found)["use.py"] == "use.py"
    assert targets(found)["macd_indicator.py"] == targets(proposed(FILES))["macd_indicator.py"]
    assert "rsi_indicator.py" in targets(found)
    assert (found.kept_by_hand, found.gone) == (("order_executor.py", "use.py"), ("gone.py",))


def test_the_command_writes_a_mapping_that_apply_takes(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for path, content in FILES.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
    done = run("migrate", "plan", str(tree), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["moves"] >= 3
    looked = run(
        "migrate",
        "apply",
        str(tree),
        "--mapping",
        "migration_mapping.json",
        "--no-git",
        "--json",
        cwd=tmp_path,
    )
    assert looked.returncode == 0, looked.stderr
    assert json.loads(looked.stdout)["outcome"] == "dry run"
