"""The workflow by which GitHub Actions runs the pipeline: `.github/workflows/deploy-strategies.yml`.

Two jobs see the strategies: one tests each on a machine of GitHub's, with no secret and no right but to read; one
deploys on a machine of the trader's own, where the ledger, the releases and the keys are, and after whoever guards the
environment has agreed. What a person types into the form reaches a shell as the value of a variable, never as its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from magellan.errors import FixInput

PATH: Final = ".github/workflows/deploy-strategies.yml"
KEPT_DAYS: Final = 30  # of artifacts

# Tags can be moved to other code, commits cannot. Read from the actions' own repositories.
PINS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "actions/checkout": "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
        "actions/setup-python": "5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0",
        "actions/upload-artifact": "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0",
    }
)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_LABEL: Final = re.compile(r"|[A-Za-z][A-Za-z0-9_-]*")
_BRANCH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowTerms:
    """What a workflow is made of."""

    strategies: Sequence[str]  # names of those in prod
    install: str  # the command that installs Magellan on a machine of GitHub's
    data: str = ""  # the command that brings the archived bars there; "": they are in the repository
    branch: str = "main"
    runner: str = ""  # label of the trader's own machine; "": any machine of the trader's
    python: str = "3.11"
    pins: Mapping[str, str] = field(default_factory=lambda: PINS)  # commit of each action


def workflow(terms: WorkflowTerms) -> str:
    """The file's text; the same terms give the same text.

    Raises: FixInput for no strategy, for names that do not belong into a workflow, and for an action without a commit.
    """
    _must_be_sound(terms)
    text = _WORKFLOW
    for key, value in {
        "BRANCH": terms.branch,
        "PATH": PATH,
        "OPTIONS": "\n".join(f"          - {each}" for each in ("all", *terms.strategies)),
        "STRATEGIES": json.dumps(list(terms.strategies)),
        "INSTALL": _block(terms.install),
        "DATA": _DATA.replace("@COMMAND@", _block(terms.data)) if terms.data else "",
        "RUNNER": f"[self-hosted, {terms.runner}]" if terms.runner else "self-hosted",
        "PYTHON": terms.python,
        "KEPT": str(KEPT_DAYS),
        "CHECKOUT": _use("actions/checkout", terms),
        "SETUP_PYTHON": _use("actions/setup-python", terms),
        "UPLOAD": _use("actions/upload-artifact", terms),
    }.items():
        text = text.replace(f"@{key}@", value)
    return text


def _must_be_sound(terms: WorkflowTerms) -> None:
    if not terms.strategies:
        raise FixInput(
            "there is no strategy in prod/ to deploy", next_step="write one with `magellan new strategy`"
        )
    for name in terms.strategies:
        if not _NAME.fullmatch(name) or name == "all":
            raise FixInput(
                f"a strategy called '{name}' cannot stand in a workflow", next_step="rename its folder"
            )
    for what, value, allowed in (
        ("--branch", terms.branch, _BRANCH),
        ("--runner", terms.runner, _LABEL),
        ("--python", terms.python, re.compile(r"3\.[0-9]+")),
    ):
        if not allowed.fullmatch(value):
            raise FixInput(f"{what}: '{value}' cannot stand in a workflow")
    if not terms.install.strip():
        raise FixInput(
            "a workflow needs a command that installs Magellan", next_step="give --install COMMAND"
        )
    for name in terms.pins:
        if name not in PINS:
            raise FixInput(f"the workflow does not use '{name}'; it uses: {', '.join(PINS)}")
    for name in PINS:
        commit = terms.pins.get(name, "").partition(" ")[0]
        if not _COMMIT.fullmatch(commit):
            raise FixInput(
                f"{name} is pinned to '{commit}', which is no full commit",
                next_step=f"give --pin {name}=COMMIT with 40 digits; a tag can be moved to other code",
            )


def _use(name: str, terms: WorkflowTerms) -> str:
    return f"{name}@{terms.pins[name]}"


def _block(command: str) -> str:
    """A command as lines of a block in YAML."""
    return "\n".join(f"          {line}".rstrip() for line in command.strip().splitlines())


_DATA: Final = """
      - name: Bring the archived bars
        run: |
@COMMAND@
"""

_WORKFLOW: Final = """# Written by `magellan pipeline github`. Write it again after a strategy has come or gone.
name: deploy-strategies

on:
  push:
    branches:
      - "@BRANCH@"
    paths:
      - "prod/**"
      - "magellan.toml"
      - "@PATH@"
  workflow_dispatch:
    inputs:
      strategy:
        description: Which strategy
        type: choice
        default: all
        options:
@OPTIONS@
      environment:
        description: Where to; test is staging
        type: choice
        default: test
        options:
          - test
          - prod

permissions: {}

# One after the other, and none is cut off in the middle of a roll-out.
concurrency:
  group: deploy-strategies
  cancel-in-progress: false

jobs:
  choose:
    name: Choose strategies
    runs-on: ubuntu-latest
    timeout-minutes: 5
    outputs:
      strategies: ${{ steps.choose.outputs.strategies }}
    steps:
      - name: Choose
        id: choose
        env:
          ALL: '@STRATEGIES@'
          WANTED: ${{ inputs.strategy || 'all' }}
        run: |
          python3 - <<'PYTHON' >> "$GITHUB_OUTPUT"
          import json, os, sys
          every, wanted = json.loads(os.environ["ALL"]), os.environ["WANTED"]
          chosen = every if wanted == "all" else [each for each in every if each == wanted]
          if not chosen:
              sys.exit(f"there is no strategy {wanted!r}")
          print("strategies=" + json.dumps(chosen))
          PYTHON

  test:
    name: Validate and test ${{ matrix.strategy }}
    needs: choose
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      contents: read # to check the repository out
    strategy:
      fail-fast: false
      matrix:
        strategy: ${{ fromJSON(needs.choose.outputs.strategies) }}
    env:
      STRATEGY: ${{ matrix.strategy }}
    steps:
      - name: Check out
        uses: @CHECKOUT@
        with:
          persist-credentials: false

      - name: Set up Python
        uses: @SETUP_PYTHON@
        with:
          python-version: "@PYTHON@"

      - name: Install Magellan
        run: |
@INSTALL@
@DATA@
      - name: Validate, and test on archived bars
        run: magellan pipeline run "prod/$STRATEGY" --out "$RUNNER_TEMP/pipeline"

      - name: Show the summary
        if: always()
        run: cat "$RUNNER_TEMP/pipeline/summary.md" >> "$GITHUB_STEP_SUMMARY"

      - name: Keep the summary
        if: always()
        uses: @UPLOAD@
        with:
          name: tested-${{ matrix.strategy }}
          path: ${{ runner.temp }}/pipeline
          retention-days: @KEPT@
          if-no-files-found: error

  deploy:
    name: Deploy ${{ matrix.strategy }}
    needs: [choose, test]
    # The trader's own machine: ledger, releases and keys are there, and no secret is GitHub's. Keep the repository
    # private: on a public one, other workflows could be made to run there.
    runs-on: @RUNNER@ # zizmor: ignore[self-hosted-runner]
    timeout-minutes: 120
    # Whoever guards this environment in the repository's settings agrees first.
    environment: ${{ inputs.environment || 'test' }}
    strategy:
      # One strategy is watched to its end before the next one begins; a failure stops those that follow.
      max-parallel: 1
      fail-fast: true
      matrix:
        strategy: ${{ fromJSON(needs.choose.outputs.strategies) }}
    env:
      STRATEGY: ${{ matrix.strategy }}
      STAGE: ${{ inputs.environment || 'test' }}
    steps:
      - name: Bring the workspace to the commit that was tested
        # Refused where somebody edited it there: nothing is overwritten. The machine says where the workspace is.
        run: |
          cd "${MAGELLAN_WORKSPACE:?is not set: write it into the .env file of the runner}"
          git fetch --quiet origin "$GITHUB_SHA"
          git merge --quiet --ff-only "$GITHUB_SHA"
          test "$(git rev-parse HEAD)" = "$GITHUB_SHA"
          test -z "$(git status --porcelain -- "prod/$STRATEGY" magellan.toml)"

      - name: Deploy, and look at what runs then
        run: >-
          magellan pipeline run "prod/$STRATEGY" --to "$STAGE" --yes --by "$GITHUB_ACTOR"
          --why "workflow run $GITHUB_RUN_ID" --out "$RUNNER_TEMP/pipeline-$STRATEGY"

      - name: Show the summary
        if: always()
        run: cat "$RUNNER_TEMP/pipeline-$STRATEGY/summary.md" >> "$GITHUB_STEP_SUMMARY"

      - name: Keep the summary
        if: always()
        uses: @UPLOAD@
        with:
          name: deployed-${{ matrix.strategy }}
          path: ${{ runner.temp }}/pipeline-${{ matrix.strategy }}
          retention-days: @KEPT@
          if-no-files-found: error
"""
