"""A person is asked about few files, and what he answers is learnt for those that say the same."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.errors import FixInput
from magellan.migration.categories.answers import taught
from magellan.migration.categories.features import features
from magellan.migration.categories.judge import Judged, Said, judge
from magellan.migration.categories.questions import Question, questions, with_questions
from magellan.migration.categories.rules import CategoryRules, parse_rules
from magellan.surfaces.cli.app import run

WORDS = {"harbour": "crane quay berth", "orchard": "apple ladder basket", "quarry": "stone gravel drill"}
"""Three kinds of files of which the rules know nothing."""


def files(*, of_each: int = 4) -> dict[str, str]:
    return {
        f"{kind[0]}{number}.py": f'"""A {kind}."""\n\n\n'
        + "\n\n".join(f"def {word}_{kind}(self): ..." for word in words.split()[: 2 + number % 2])
        + "\n"
        for kind, words in WORDS.items()
        for number in range(of_each)
    }


def said(sources: dict[str, str]) -> list[Said]:
    return [Said(path=path, features=features(path, text, ast.parse(text))) for path, text in sources.items()]


def rules(**answers: str) -> CategoryRules:
    table = "\n".join(f'"{name}.py" = "{answer}"' for name, answer in answers.items())
    return parse_rules(f"version = 1\n[answers]\n{table}\n", name="rules.toml")


def judged(sources: dict[str, str], given: CategoryRules) -> dict[str, Judged]:
    return {each.path: each for each in judge(said(sources), {}, given)}


def asked(sources: dict[str, str], count: int, *answered: str) -> tuple[Question, ...]:
    known = judged(sources, rules())
    return questions(said(sources), {}, known, answered, count)


def test_files_that_say_the_same_follow_an_answer_and_say_why() -> None:
    found = judged(files(), rules(h0="execution", o0="risk"))

    assert (found["h0.py"].category, found["h0.py"].confidence) == ("execution", 1.0)
    assert {found[f"h{number}.py"].category for number in range(4)} == {"execution"}
    assert {found[f"o{number}.py"].category for number in range(4)} == {"risk"}
    assert "somebody put h0.py here, which says the same" in found["h2.py"].reasons


def test_files_that_share_nothing_with_an_answered_one_are_judged_as_before() -> None:
    sources = files()
    before, after = judged(sources, rules()), judged(sources, rules(h0="execution"))

    for number in range(4):
        path = f"q{number}.py"
        assert after[path].category == before[path].category
        assert after[path].confidence == pytest.approx(before[path].confidence, abs=1e-6)


def test_an_answer_counts_more_than_the_path_that_a_rule_claims() -> None:
    sources = {**files(), "tools/h9.py": files()["h0.py"]}
    given = parse_rules('version = 1\n[answers]\n"tools/h9.py" = "execution"\n', name="rules.toml")

    assert judged(sources, rules())["tools/h9.py"].category == "scripts"
    found = judged(sources, given)
    assert (found["tools/h9.py"].category, found["h1.py"].category) == ("execution", "execution")


def test_an_empty_answer_is_none() -> None:
    assert judged(files(), rules(h0="")) == judged(files(), rules())


def test_an_answer_that_is_no_category_is_named_with_its_place() -> None:
    with pytest.raises(
        FixInput, match=r"answers\.h0\.py: there is no category harbour; there are tests, core,"
    ):
        rules(h0="harbour")


def test_each_question_is_about_another_kind_of_file() -> None:
    found = asked(files(), 3)

    assert {each.path[0] for each in found} == {"h", "o", "q"}
    assert all(other[0] == each.path[0] for each in found for other in each.speaks_for)
    assert sum(len(each.speaks_for) for each in found) == 9  # all that was not asked about


def test_what_was_asked_is_not_asked_again_nor_its_like_before_others() -> None:
    first = asked(files(), 1)[0].path
    again = asked(files(), 2, first)

    assert first not in {each.path for each in again}
    assert {first[0], *(each.path[0] for each in again)} == {"h", "o", "q"}


def test_there_are_no_more_questions_than_files() -> None:
    assert len(asked(files(of_each=1), 100)) == 3
    assert asked({}, 5) == ()


@settings(max_examples=30)
@given(data=st.data())
def test_an_answered_file_has_its_category_whatever_was_known_before(data: st.DataObject) -> None:
    share = st.floats(0.01, 1.0)
    before = np.array(data.draw(st.lists(st.lists(share, min_size=4, max_size=4), min_size=3, max_size=8)))
    before /= before.sum(axis=1, keepdims=True)
    answer = data.draw(st.integers(0, 3))
    likeness = np.array(data.draw(st.lists(st.floats(0, 0.9), min_size=len(before), max_size=len(before))))
    likeness[0] = 1.0

    after = taught(before, {0: answer}, likeness[:, None])

    assert after[0].argmax() == answer
    assert np.allclose(after.sum(axis=1), 1.0)
    assert (after[:, answer] >= before[:, answer] - 1e-9).all()


OWN = 'version = 1  # mine\n\n[answers] # of Ann\n"a.py" = "risk"\n\n[category.risk]\ntitle = "r"\n'


@pytest.mark.parametrize("text", [None, "version = 1", OWN, "version = 1\n[answers]"])
def test_questions_are_added_to_what_a_file_of_rules_says_already(text: str | None) -> None:
    question = Question(path='odd "name".py', perhaps="risk", instead="core", speaks_for=("b.py",))
    after = with_questions(text, [question], name="rules.toml")

    old = tomllib.loads(text or "version = 1")
    new = tomllib.loads(after)
    assert new == old | {"answers": {'odd "name".py': "", **old.get("answers", {})}}
    assert "# perhaps risk, or core; also for b.py" in after
    assert all(line in after for line in (text or "").splitlines())


def test_answers_that_are_no_table_are_left_alone() -> None:
    with pytest.raises(FixInput, match=r"below a line `\[answers\]`"):
        with_questions("version = 1\nanswers = {}\n", [], name="rules.toml")


def test_the_command_asks_and_the_answers_decide_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    project, answers = tmp_path / "project", tmp_path / "answers.toml"
    project.mkdir()
    for path, text in files().items():
        (project / path).write_text(text)
    words = ["migrate", "plan", str(project), "--categories", str(answers), "--json"]

    assert run([*words, "--ask", "3"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [len(each["speaks_for"]) for each in told["questions"]] == [3, 3, 3]
    assert not (tmp_path / "migration_mapping.json").exists()
    folders = {"h": "execution", "o": "risk", "q": "options"}
    text = answers.read_text()
    for each in told["questions"]:
        text = text.replace(f'"{each["path"]}" = ""', f'"{each["path"]}" = "{folders[each["path"][0]]}"')
    answers.write_text(text)

    assert run(words) == 0
    planned = json.loads(capsys.readouterr().out)
    moves = json.loads((tmp_path / "migration_mapping.json").read_text())["moves"]
    assert {move["from"]: move["to"].partition("/")[0] for move in moves} == {
        path: folders[path[0]] for path in files()
    }
    assert planned["answers_for_nothing"] == []
