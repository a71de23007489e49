"""What the environment says about a run: read once, and refused when it contradicts itself."""

import pytest

from magellan.errors import FixInput
from magellan.settings import Mode, run_settings


def say(monkeypatch, **variables):
    for name in ("ENVIRONMENT", "ALPACA_PAPER", "USE_ARCHIVED_DATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("variables", "mode"),
    [
        ({}, Mode.NONE),
        ({"USE_ARCHIVED_DATA": "true"}, Mode.ARCHIVED),
        ({"USE_ARCHIVED_DATA": "1", "ENVIRONMENT": "testing", "ALPACA_PAPER": "true"}, Mode.ARCHIVED),
        ({"ENVIRONMENT": "production", "ALPACA_PAPER": "false"}, Mode.NONE),
    ],
)
def test_the_mode_follows_from_the_environment(monkeypatch, variables, mode):
    say(monkeypatch, **variables)
    assert run_settings().mode is mode


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"USE_ARCHIVED_DATA": "true", "ENVIRONMENT": "production"}, "production never reads the archive"),
        ({"USE_ARCHIVED_DATA": "true", "ALPACA_PAPER": "false"}, "never reach a live account"),
        ({"ENVIRONMENT": "prod", "ALPACA_PAPER": "true"}, "one of them is wrong"),
        ({"USE_ARCHIVED_DATA": "maybe"}, "USE_ARCHIVED_DATA is 'maybe'"),
        ({"ENVIRONMENT": "moon"}, "ENVIRONMENT is 'moon'"),
    ],
)
def test_a_contradiction_is_refused_with_its_reason(monkeypatch, variables, why):
    say(monkeypatch, **variables)
    with pytest.raises(FixInput, match=why):
        run_settings()
