"""A pair of keys: both from one place, by any of the names in use, and half a pair is none."""

from __future__ import annotations

import pytest

from magellan.adapters.environment_secrets import EnvironmentSecrets
from magellan.settings.keys import KeyState, find_keys
from magellan.workspace.broker_account import KeyNames


@pytest.mark.parametrize(
    ("variables", "state"),
    [
        ({}, KeyState.NONE),
        ({"ALPACA_API_KEY": "a", "ALPACA_API_SECRET": "b"}, KeyState.WHOLE),
        ({"ALPACA_API_KEY": "a", "ALPACA_SECRET_KEY": "b"}, KeyState.WHOLE),
        ({"APCA_API_KEY_ID": "a", "APCA_API_SECRET_KEY": "b"}, KeyState.WHOLE),
        ({"ALPACA_API_KEY": "a"}, KeyState.HALF),
        ({"ALPACA_SECRET_KEY": "b"}, KeyState.HALF),
        ({"ALPACA_API_KEY": "a", "ALPACA_API_SECRET": " "}, KeyState.HALF),
        ({"APCA_API_KEY_ID": "a", "ALPACA_API_SECRET": "b"}, KeyState.HALF),  # two halves of two schemes
        (
            {"ALPACA_API_KEY": "a", "ALPACA_API_SECRET": "b", "ALPACA_SECRET_KEY": "b",
             "APCA_API_KEY_ID": "a", "APCA_API_SECRET_KEY": "b"},
            KeyState.WHOLE,
        ),
        ({"ALPACA_API_KEY": "a", "ALPACA_API_SECRET": "b", "ALPACA_SECRET_KEY": "c"}, KeyState.CONTRADICTING),
        (
            {"ALPACA_API_KEY": "a", "ALPACA_API_SECRET": "b", "APCA_API_KEY_ID": "x", "APCA_API_SECRET_KEY": "b"},
            KeyState.CONTRADICTING,
        ),
    ],
)  # fmt: skip
def test_a_pair_of_keys_is_found_by_any_of_the_three_naming_schemes(variables, state):
    found = find_keys(KeyNames(), [EnvironmentSecrets(variables)])
    assert found.state is state
    if found.pair is not None:
        assert (found.pair.key_id.get_secret_value(), found.pair.secret.get_secret_value()) == ("a", "b")
    else:
        assert found.reason


def test_both_keys_come_from_one_place_and_never_half_from_each():
    shell = EnvironmentSecrets({"ALPACA_API_KEY": "live-id"})
    file = EnvironmentSecrets({"ALPACA_API_KEY": "paper-id", "ALPACA_API_SECRET": "paper-secret"})
    assert find_keys(KeyNames(), [shell, file]).state is KeyState.HALF
    found = find_keys(KeyNames(), [EnvironmentSecrets({}), file])
    assert found.pair is not None
    assert found.pair.key_id.get_secret_value() == "paper-id"


def test_an_account_that_names_its_variables_reads_those_alone():
    variables = {"ALPACA_API_KEY": "a", "ALPACA_API_SECRET": "b", "TWO_KEY": "c", "TWO_SECRET": "d"}
    names = KeyNames(key_id="TWO_KEY", secret="TWO_SECRET")
    found = find_keys(names, [EnvironmentSecrets(variables)])
    assert found.pair is not None
    assert found.pair.key_id.get_secret_value() == "c"
