"""Starting a session: what an account and a strategy say reaches the session, or is refused before it begins."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from ledger.samples import BEGAN
from magellan.engine.setup import AtTheEnd, Differing, SessionSetup
from magellan.errors import FixInput
from magellan.ledger.book import RunningSession
from magellan.settings.keys import KeyPair, find_keys
from magellan.usecases.load_strategy import LoadedStrategy, load_strategy
from magellan.usecases.named_account import NamedAccount, ledger_name
from magellan.usecases.start_session import Trades, history_from, new_session
from magellan.usecases.watch_session import Seen, findings
from magellan.wiring.market import live_bars, session_calendar
from magellan.wiring.sessions import keyed_broker
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.risk_terms import RiskTerms
from magellan.workspace.secret_terms import SecretSource
from magellan.workspace.workspace import Workspace, WorkspaceSettings
from risk.small_session import CAN, OPEN, week

CODE = """from magellan.strategy.contract import *
from magellan.strategy.trade_plan import *


class Gap(Strategy):
    def enter_long(self, f, p):
        return f.close > f.open
"""
ROBINHOOD = {"broker": "robinhood", "kind": "live", "data": {"source": "yahoo"}}
KEYS = KeyPair(key_id=SecretStr("key-id"), secret=SecretStr("key-secret"), place="a test")


def loaded(folder: Path, **data: Any) -> LoadedStrategy:
    folder = folder / "gap"
    folder.mkdir(exist_ok=True)
    (folder / "strategy.py").write_text(CODE)
    config = {
        "strategy": {"name": "gap", "version": "1.0.0", "kind": "trend"},
        "symbols": ["AMC"],
        "data": data,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return load_strategy(folder)


def account(**terms: Any) -> BrokerAccount:
    return BrokerAccount.model_validate({"kind": "paper", "number": "PA3", **terms})


def begun(strategy: LoadedStrategy, on: BrokerAccount, source: str = "alpaca/sip") -> SessionSetup:
    _, setup = new_session(
        strategy,
        trades=Trades(mode="paper", sends=True, account=on),
        settings=WorkspaceSettings(),
        calendar=week(),
        capabilities=CAN,
        bar_source=source,
        recorded=(),
        heard_before=None,
        at=OPEN,
    )
    return setup


# --- Every key of an account is read --------------------------------------------------------------------------------


class OnePlace:
    """A provider that knows every name it is asked for, and remembers it."""

    place = "a test"

    def __init__(self, source: SecretSource = "environment") -> None:
        self.source = source
        self.asked: list[str] = []

    def secret(self, name: str) -> SecretStr | None:
        self.asked.append(name)
        return SecretStr(f"value of {name}")


def is_silent(on: BrokerAccount, strategy: LoadedStrategy, *, after_s: float) -> bool:
    session = RunningSession(session="s", began_at=OPEN, began=begun(strategy, on).began)
    seen = Seen(at=OPEN + timedelta(seconds=after_s), holder=None, session=session, beat=None, beat_at=None)
    return bool(findings(seen, on.watchdog, week(), reconcile_every_s=on.reconcile_every_s))


def broker(strategy: LoadedStrategy) -> None:
    assert account().has_keys and not account(**ROBINHOOD).has_keys
    assert ledger_name(account()) == "alpaca-paper-PA3"
    assert ledger_name(account(**ROBINHOOD)) == "robinhood-live-PA3"


def places_orders(strategy: LoadedStrategy) -> None:
    assert account().takes_orders and not account(**ROBINHOOD).takes_orders
    assert account(**ROBINHOOD, places_orders=True).takes_orders
    with pytest.raises(ValidationError, match="places_orders: is asked of robinhood alone"):
        account(places_orders=True)


def kind(strategy: LoadedStrategy) -> None:
    assert keyed_broker(account(kind="live"), KEYS).is_live
    assert not keyed_broker(account(kind="paper"), KEYS).is_live


def number(strategy: LoadedStrategy) -> None:
    assert begun(strategy, account(number="PA4")).account == "alpaca-paper-PA4"


def address(strategy: LoadedStrategy) -> None:
    with pytest.raises(FixInput, match="base_url"):
        keyed_broker(account().model_copy(update={"address": "http://example.com:1"}), KEYS)


def key_names(strategy: LoadedStrategy) -> None:
    place = OnePlace()
    names = account(keys={"key_id": "DESK_KEY_ID", "secret": "DESK_SECRET"}).keys
    found = find_keys(names, [place])
    assert sorted(set(place.asked)) == ["DESK_KEY_ID", "DESK_SECRET"]
    assert found.pair is not None and found.pair.secret.get_secret_value() == "value of DESK_SECRET"


def key_source(strategy: LoadedStrategy) -> None:
    names = account(keys={"source": "ssm", "key_id": "/desk/key/ID", "secret": "/desk/key/SECRET"}).keys
    here, there = OnePlace(), OnePlace("ssm")
    found = find_keys(names, [here, there])
    assert (here.asked, sorted(set(there.asked))) == ([], ["/desk/key/ID", "/desk/key/SECRET"])
    assert found.pair is not None and found.pair.secret.get_secret_value() == "value of /desk/key/SECRET"


def data_source(strategy: LoadedStrategy) -> None:
    polled = account(data={"source": "polygon"}).data
    assert live_bars(polled, None, {"POLYGON_API_KEY": "k"}).source == "polygon/consolidated"
    with pytest.raises(FixInput, match="POLYGON_API_KEY is not set"):
        live_bars(polled, None, {})
    with pytest.raises(ValidationError, match="an exchange on this machine tells its own bars"):
        account(kind="local", address="http://127.0.0.1:8931", data={"source": "polygon"})
    with pytest.raises(ValidationError, match="yahoo has one feed, 'consolidated', not 'sip'"):
        account(data={"source": "yahoo", "feed": "sip"})


def data_feed(strategy: LoadedStrategy) -> None:
    assert "sip" in live_bars(account(data={"feed": "sip"}).data, KEYS, {}).source
    assert "iex" in live_bars(account().data, KEYS, {}).source


def reconcile(strategy: LoadedStrategy) -> None:
    assert begun(strategy, account()).differing is Differing.REFUSE
    assert begun(strategy, account(reconcile="adopt")).differing is Differing.ADOPT


def reconcile_every_s(strategy: LoadedStrategy) -> None:
    assert begun(strategy, account(reconcile_every_s=7)).timings.reconcile_every_s == 7


def on_stop(strategy: LoadedStrategy) -> None:
    assert begun(strategy, account()).at_the_end is AtTheEnd.HOLD
    assert begun(strategy, account(on_stop="flatten")).at_the_end is AtTheEnd.FLATTEN


def watchdog_silence(strategy: LoadedStrategy) -> None:
    patient = account(watchdog={"silence_s_max": 3000})
    assert is_silent(account(watchdog={"silence_s_max": 10}), strategy, after_s=1000)
    assert not is_silent(patient, strategy, after_s=1000)


def watchdog_then(strategy: LoadedStrategy) -> None:
    from magellan.surfaces.cli.operate_options import watch_terms

    named = NamedAccount(ledger="a", name="desk", terms=account(watchdog={"then": "flatten"}))
    assert watch_terms(named)[0].then == "flatten"


def risk(strategy: LoadedStrategy) -> None:
    limits = begun(strategy, account(risk={"order_usd_max": 123})).limits
    assert limits.order_usd_max == Decimal("123.0")


READ: dict[str, Callable[[LoadedStrategy], None]] = {
    "broker": broker,
    "kind": kind,
    "number": number,
    "address": address,
    "keys.source": key_source,
    "keys.key_id": key_names,
    "keys.secret": key_names,
    "data.source": data_source,
    "data.feed": data_feed,
    "reconcile": reconcile,
    "reconcile_every_s": reconcile_every_s,
    "on_stop": on_stop,
    "places_orders": places_orders,
    "watchdog.silence_s_max": watchdog_silence,
    "watchdog.then": watchdog_then,
    "risk": risk,  # its keys one by one: tests/risk/test_limits_through_a_session.py
}


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, terms in model.model_fields.items():
        inner = terms.annotation
        if name != "risk" and isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys_of(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_no_key_of_an_account_is_without_a_test_of_who_reads_it() -> None:
    assert set(keys_of(BrokerAccount)) == READ.keys()


@pytest.mark.parametrize("key", READ)
def test_what_an_account_says_reaches_whoever_acts_on_it(key: str, tmp_path: Path) -> None:
    READ[key](loaded(tmp_path))


# --- Bars -------------------------------------------------------------------------------------------------------------


def test_bars_of_another_feed_than_the_strategys_are_refused_incident_5(tmp_path: Path) -> None:
    with pytest.raises(FixInput) as caught:
        begun(loaded(tmp_path, feed="sip"), account(data={"feed": "iex"}))
    assert "'sip' (data.feed in its config.json)" in str(caught.value)
    assert "'iex' (data.feed in magellan.toml)" in str(caught.value)


def test_the_same_feed_begins_and_is_recorded(tmp_path: Path) -> None:
    on = account(data={"feed": "sip"})
    assert begun(
        loaded(tmp_path, feed="sip"), on, live_bars(on.data, KEYS, {}).source
    ).began.bar_source.endswith("sip")


def test_a_strategy_that_names_no_feed_takes_the_accounts(tmp_path: Path) -> None:
    assert begun(loaded(tmp_path), account(data={"feed": "sip"})).config.data.feed is None


@pytest.mark.parametrize(
    ("timeframe", "days"), [("1Min", 10), ("30Min", 10), ("1Hour", 180), ("4Hour", 180), ("1Day", 1500)]
)
def test_without_a_word_a_session_reads_what_its_bars_need(timeframe: str, days: int, tmp_path: Path) -> None:
    at = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
    assert at - history_from(loaded(tmp_path, timeframe=timeframe), at) == timedelta(days=days)


@pytest.mark.parametrize("timeframe", ["1Min", "1Hour", "1Day"])
def test_history_days_says_how_far_back_a_session_reads(timeframe: str, tmp_path: Path) -> None:
    at = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
    strategy = loaded(tmp_path, timeframe=timeframe, history_days=42)
    assert at - history_from(strategy, at) == timedelta(days=42)


@pytest.mark.parametrize(
    ("every_s", "risk", "named"),
    [
        (120, {}, "risk.account_age_s_max"),
        (400, {"account_age_s_max": 500}, "risk.reconciliation_age_s_max"),
        (60, {"account_age_s_max": 30}, "risk.account_age_s_max"),
    ],
)
def test_comparisons_that_are_further_apart_than_a_limit_allows_are_refused(
    every_s: int, risk: dict[str, float], named: str, tmp_path: Path
) -> None:
    strategy = loaded(tmp_path)
    strategy = replace(strategy, config=strategy.config.model_copy(update={"risk": RiskTerms(**risk)}))
    with pytest.raises(FixInput) as refused:
        begun(strategy, account(reconcile_every_s=every_s))
    assert "reconcile_every_s" in refused.value.message
    assert named in refused.value.message


def test_comparisons_that_are_closer_than_the_limits_begin(tmp_path: Path) -> None:
    assert begun(loaded(tmp_path), account(reconcile_every_s=119)).timings.reconcile_every_s == 119


def test_a_released_session_is_watched_by_the_calendar_of_its_own_config(tmp_path: Path) -> None:
    """A release in test lies in the workspace's dev/ folder, and on another host in no folder of a stage at all."""
    (tmp_path / "magellan.toml").write_text("format = 1\n")
    workspace = Workspace.at(tmp_path)
    released = replace(BEGAN, stage="test", strategy="gap", release_id="a" * 64)
    assert session_calendar(workspace, released).name == "XNYS", "nothing says otherwise"
    installed = workspace.state_folder / "host" / "installed" / ("a" * 64)
    installed.mkdir(parents=True)
    loaded(tmp_path, calendar="24/7").folder.path.rename(installed / "strategy")
    assert session_calendar(workspace, released).name == "24/7"
    assert session_calendar(workspace, replace(released, release_id=None)).name == "XNYS"
