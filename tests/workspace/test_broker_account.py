"""magellan.toml: broker accounts by name, limits by workspace, stage and account, and never a secret."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from magellan.errors import FixInput
from magellan.workspace.broker_account import is_loopback
from magellan.workspace.config_file import validated
from magellan.workspace.workspace import Stage, Workspace, WorkspaceSettings

CANARY = "PKCANARY7F3ADONOTPRINT"

WHOLE = """
format = 1

[risk]
gross_exposure_fraction_max = 0.9

[accounts.exchange]
kind = "local"
number = "LOCAL1"
address = "http://127.0.0.1:8931"

[accounts.paper]
broker = "alpaca"
kind = "paper"
number = "PA3ABCDEFGH"
keys = {key_id = "PAPER_API_KEY", secret = "PAPER_API_SECRET"}
data = {source = "alpaca", feed = "sip"}
reconcile = "adopt"
reconcile_every_s = 30
on_stop = "flatten"
watchdog = {silence_s_max = 60, then = "flatten"}
risk = {order_usd_max = 5000, breakers = {daily_loss_fraction_max = 0.02}}

[accounts.real]
kind = "live"
number = "912345678"
keys = {source = "ssm", key_id = "/magellan/alpaca/912345678/API_KEY", secret = "/magellan/alpaca/912345678/API_SECRET"}

[stages.test]
account = "paper"
risk = {order_usd_max = 2000}

[stages.prod]
account = "real"
"""


def settings(text: str) -> WorkspaceSettings:
    return validated(WorkspaceSettings, tomllib.loads(text), name="magellan.toml")


def test_accounts_stages_and_caps_are_read_from_the_workspaces_file(tmp_path: Path) -> None:
    (tmp_path / "magellan.toml").write_text(WHOLE)
    found = Workspace.at(tmp_path).settings
    assert list(found.accounts) == ["exchange", "paper", "real"]
    paper = found.accounts["paper"]
    assert (paper.kind, paper.number, paper.data.feed) == ("paper", "PA3ABCDEFGH", "sip")
    assert (paper.reconcile, paper.on_stop, paper.watchdog.then) == ("adopt", "flatten", "flatten")
    assert found.stage(Stage.TEST).account == "paper"
    assert found.stage(Stage.TEST).risk.order_usd_max == 2000
    assert found.stage(Stage.DEV).account is None
    assert found.risk.gross_exposure_fraction_max == 0.9


def test_an_account_holds_and_asks_a_person_unless_it_says_otherwise() -> None:
    account = settings('accounts.a = {kind = "paper", number = "PA3"}').accounts["a"]
    assert (account.reconcile, account.on_stop, account.watchdog.then) == ("refuse", "hold", "alarm")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('accounts.a = {number = "PA3"}', "accounts.a.kind: is missing"),
        ('accounts.a = {kind = "paper"}', "accounts.a.number: is missing (as the broker shows it"),
        ('accounts.a = {kind = "paper", number = 912345678}', "accounts.a.number: found 912345678"),
        ('accounts.a = {kind = "cash", number = "PA3"}', "'local', 'paper' or 'live'"),
        ('accounts.A = {kind = "paper", number = "PA3"}', "accounts.A"),
        ('accounts.a = {kind = "local", number = "PA3"}', "address: is missing"),
        (
            'accounts.a = {kind = "local", number = "PA3", address = "https://api.alpaca.markets"}',
            "is not on this machine",
        ),
        (
            'accounts.a = {kind = "live", number = "PA3", address = "http://127.0.0.1:1"}',
            "a live account is reached at its broker's own address",
        ),
        ('accounts.a = {kind = "paper", number = "PA3", key = "x"}', "accounts.a.key: unknown key"),
        (
            'accounts.a = {kind = "paper", number = "PA3", risk = {order_usd = 5}}',
            "accounts.a.risk.order_usd: unknown key (did you mean 'order_usd_max'?)",
        ),
        (
            'accounts.a = {kind = "paper", number = "PA3", keys = {key_id = "A_KEY"}}',
            "key_id and secret are named both, or neither",
        ),
        (
            'accounts.a = {kind = "paper", number = "PA3", keys = {source = "ssm", secret = "/a/b"}}',
            "key_id and secret are named both, or neither",
        ),
        (
            'stages.test.account = "paper"',
            "stages.test.account: there is no account 'paper'; there are: none",
        ),
        (
            'stages.test.account = "a"\naccounts.a = {kind = "live", number = "912"}',
            "stages.test.account: 'a' is a live account, and only prod trades real money",
        ),
        (
            'accounts.a = {kind = "paper", number = "PA3"}\naccounts.b = {kind = "paper", number = "PA3"}',
            "accounts.b.number: is that of accounts.a too",
        ),
        (
            'accounts.a = {kind = "local", number = "PA3", address = "http://127.0.0.1:8931"}\n'
            'accounts.b = {kind = "local", number = "PA3", address = "http://127.0.0.1:8932"}',
            "accounts.b.number: is that of accounts.a too, at another exchange, and one ledger would be kept of both; "
            "start one of the two exchanges with another --seed",
        ),
        (
            'accounts.voyage_prod = {kind = "local", number = "PA3", address = "http://127.0.0.1:8931"}\n'
            'accounts.voyage_test = {kind = "local", number = "PA3", address = "http://127.0.0.1:8932"}',
            "an older version's demo made them: run `magellan demo` in a new folder",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(FixInput) as caught:
        settings(text)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "keys",
    [
        f'keys = {{key_id = "{CANARY}", secret = "A_SECRET"}}',
        f'keys = {{key_id = "A_KEY", secret = "{CANARY.lower()}"}}',
        f'keys = {{key_id = "A_KEY", secret = "Mixed/{CANARY}"}}',
        f'keys = "{CANARY}"',
        f'keys = ["{CANARY}", "{CANARY.lower()}"]',
        f'keys = {{key_id = ["{CANARY}"], secret = "A_SECRET"}}',
        f'key_id = "{CANARY}"',
        f'secret = "{CANARY.lower()}"',
    ],
)
def test_a_key_written_there_by_mistake_is_refused_and_not_shown_incident_29(keys: str) -> None:
    with pytest.raises(FixInput) as caught:
        settings(f'[accounts.a]\nkind = "paper"\nnumber = "PA3"\n{keys}\n')
    assert CANARY.lower() not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:8931", True),
        ("http://localhost:8931", True),
        ("http://[::1]:8931/", True),
        ("ws://127.8.9.1", True),
        ("https://api.alpaca.markets", False),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1@example.com", False),
        ("127.0.0.1:8931", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_an_address_is_on_this_machine_by_its_host_alone(address: str, here: bool) -> None:
    assert is_loopback(address) is here
