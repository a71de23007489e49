"""What the environment says of a run, and that it never contradicts itself unseen."""

from __future__ import annotations

import pytest

from magellan.errors import FixInput
from magellan.settings.environment import run_settings
from magellan.workspace.workspace import Stage


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"USE_ARCHIVED_DATA": "true", "ENVIRONMENT": "production"}, "production never reads the archive"),
        ({"USE_ARCHIVED_DATA": "true", "ALPACA_PAPER": "false"}, "never reach a live account"),
        ({"ENVIRONMENT": "prod", "ALPACA_PAPER": "true"}, "one of them is wrong"),
        ({"PAPER_TRADING": "true", "ALPACA_PAPER": "false"}, "one of them is wrong"),
        ({"USE_ARCHIVED_DATA": "maybe"}, "USE_ARCHIVED_DATA is 'maybe': it should be true or false"),
        ({"ENVIRONMENT": "moon"}, "ENVIRONMENT is 'moon'"),
    ],
)
def test_an_environment_that_contradicts_itself_is_refused_with_its_reason(variables, why):
    with pytest.raises(FixInput, match=why):
        run_settings(variables)


def test_an_empty_variable_is_one_that_is_not_set():
    assert run_settings({"ALPACA_PAPER": "", "ENVIRONMENT": " ", "USE_ARCHIVED_DATA": ""}) == run_settings({})


def test_the_environment_of_the_process_is_read_where_none_is_handed_in(monkeypatch):
    monkeypatch.setenv("ENVIRONMENT", "staging")
    assert run_settings().stage is Stage.TEST
