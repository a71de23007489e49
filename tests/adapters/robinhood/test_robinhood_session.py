"""An account at Robinhood in a workspace: who may trade it, what opens it, and what is done to it without a session."""

import asyncio
import json
import threading
import urllib.request
import webbrowser
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from adapters.robinhood.conftest import CALENDAR, Trader
from adapters.robinhood.stand_in import ACCOUNT, OTHER_ACCOUNT, StandIn
from adapters.robinhood.test_robinhood_broker import far_limit
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.adapters.robinhood import access
from magellan.adapters.robinhood.broker import RobinhoodBroker
from magellan.errors import AskOperator, FixInput
from magellan.ledger.entries import AnswerIs, AnswerTo, NewEntry, OrderAnswered, OrderIntended, Payload
from magellan.ports.broker import Accepted
from magellan.settings.decide_mode import decide_mode
from magellan.settings.environment import run_settings
from magellan.settings.mode import Asked, Decided, Mode, Refusal, Rule
from magellan.surfaces.cli.broker_login import broker_login
from magellan.surfaces.cli.broker_logout import broker_logout
from magellan.trading.order import OrderRequest
from magellan.trading.purpose import OrderPurpose
from magellan.usecases.flatten_account import Flattening
from magellan.wiring.robinhood import login_place, recorded_orders
from magellan.wiring.sessions import open_market
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.config import Identity, StrategyConfig
from magellan.workspace.workspace import Stage, Workspace, WorkspaceSettings

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
CONFIG = StrategyConfig(strategy=Identity(name="gap", version="1.0.0", kind="trend"), symbols=("AAPL",))
TERMS: dict[str, Any] = {
    "broker": "robinhood",
    "kind": "live",
    "number": ACCOUNT,
    "data": {"source": "polygon"},
    "places_orders": True,
}


def account(**terms: Any) -> BrokerAccount:
    return BrokerAccount.model_validate(TERMS | terms)


# --- What magellan.toml may say -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"kind": "paper"}, "robinhood has no paper account; to try a strategy, trade our own exchange"),
        ({"kind": "local", "address": "http://127.0.0.1:8931"}, "robinhood has no paper account"),
        ({"data": {"source": "alpaca"}}, "robinhood streams no bars"),
        ({"keys": {"key_id": "DESK_ID", "secret": "DESK_SECRET"}}, "robinhood has a login, and no keys"),
    ],
)
def test_what_robinhood_does_not_have_is_refused_with_what_to_do(terms: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        account(**terms)


def decided(stage: Stage, variables: dict[str, str], **terms: Any) -> Decided | Refusal:
    workspace = WorkspaceSettings.model_validate({"accounts": {"desk": TERMS | terms}})
    return decide_mode(
        stage=stage,
        said=run_settings(variables),
        workspace=workspace,
        asked=Asked(account="desk", typed_number=ACCOUNT, armed_by="Ada"),
        keys_of=lambda names: pytest.fail("it has no keys to ask for"),
    )


LIVE = {"ENVIRONMENT": "prod", "PAPER_TRADING": "false"}


def test_real_money_at_robinhood_needs_what_real_money_needs_anywhere() -> None:
    found = decided(Stage.PROD, LIVE)
    assert isinstance(found, Decided) and found.mode is Mode.LIVE
    refused = decided(Stage.PROD, {"ENVIRONMENT": "prod"})
    assert isinstance(refused, Refusal) and "real money needs PAPER_TRADING=false" in str(refused.as_error())


def test_staging_is_refused_and_told_what_staging_means() -> None:
    refused = decided(Stage.TEST, {"ENVIRONMENT": "test"})
    assert isinstance(refused, Refusal) and Rule.STAGE in refused.rules
    assert "staging for it means our own exchange" in str(refused.as_error())


def test_an_account_that_does_not_say_that_it_takes_orders_is_read_only() -> None:
    refused = decided(Stage.PROD, LIVE, places_orders=None)
    assert isinstance(refused, Refusal) and refused.rules == (Rule.NO_ORDERS,)
    assert "places_orders = true" in str(refused.as_error())


# --- Opening --------------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path, there: StandIn, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with two accounts at the stand-in, and a login."""
    lines = []
    for name, number in (("desk", ACCOUNT), ("own", OTHER_ACCOUNT)):
        lines += [f"[accounts.{name}]", 'broker = "robinhood"', 'kind = "live"', f'number = "{number}"']
        lines += ["places_orders = true", 'data = { source = "polygon" }']
    (tmp_path / "magellan.toml").write_text("\n".join(lines))
    monkeypatch.setattr(access, "SERVER", there.address)
    opened = Workspace.at(tmp_path)
    for each in opened.settings.accounts.values():
        login_place(each, opened).write(SecretStr(json.dumps(there.consented())))
    return opened


def opened(workspace: Workspace, name: str, mode: Mode) -> bool:
    """Whether a session of that mode is given a market of that account."""

    async def work() -> bool:
        market = await open_market(
            Decided(mode=mode, account_name=name, account=workspace.settings.accounts[name]),
            None,
            CONFIG,
            CALENDAR,
            {"POLYGON_API_KEY": "k"},
            workspace=workspace,
            ledger=MemoryLedger(lambda: NOW),
        )
        try:
            return (await market.broker.account()).account_id == workspace.settings.accounts[name].number
        finally:
            await market.bars.close()
            await market.broker.close()

    return asyncio.run(work())


def test_a_session_trades_the_agentic_account_and_may_only_look_at_another(workspace: Workspace) -> None:
    assert opened(workspace, "desk", Mode.LIVE)
    with pytest.raises(AskOperator, match="lets programs read this account, and not trade it"):
        opened(workspace, "own", Mode.LIVE)
    assert opened(workspace, "own", Mode.DRY)


# --- What the ledger knows ------------------------------------------------------------------------------------


def intended(request: OrderRequest) -> OrderIntended:
    return OrderIntended(strategy="gap", purpose=OrderPurpose.ENTRY, request=request, reason="")


def recorded_by(*payloads: Payload) -> MemoryLedger:
    ledger = MemoryLedger(lambda: NOW)
    with ledger.writer("desk") as writer:
        writer.append([NewEntry(at=NOW, session="s", payload=each) for each in payloads])
    return ledger


def test_the_ledger_says_which_orders_were_sent_and_which_of_them_have_an_answer(
    there: StandIn, trader: Trader
) -> None:
    answer = trader.with_broker(lambda broker: broker.submit(far_limit("mg1-known")))
    assert isinstance(answer, Accepted)
    ledger = recorded_by(
        *(intended(far_limit(f"mg1-{name}")) for name in ("known", "lost", "refused", "unread", "absent")),
        OrderAnswered(
            client_order_id="mg1-known", to=AnswerTo.SUBMIT, answer=AnswerIs.ACCEPTED, order=answer.order
        ),
        OrderAnswered(client_order_id="mg1-lost", to=AnswerTo.SUBMIT, answer=AnswerIs.UNKNOWN),
        OrderAnswered(client_order_id="mg1-refused", to=AnswerTo.SUBMIT, answer=AnswerIs.REFUSED),
        OrderAnswered(client_order_id="mg1-unread", to=AnswerTo.SUBMIT, answer=AnswerIs.RATE_LIMITED),
        OrderAnswered(client_order_id="mg1-absent", to=AnswerTo.LOOK_UP, answer=AnswerIs.ABSENT),
    )
    found = {each.request.client_order_id: each for each in recorded_orders(ledger, "desk")}
    assert sorted(found) == ["mg1-known", "mg1-lost", "mg1-unread"]
    assert found["mg1-known"].broker_order_id == answer.order.broker_order_id
    assert (found["mg1-known"].is_open, found["mg1-lost"].broker_order_id) == (True, None)
    assert found["mg1-lost"].sent_at == NOW


# --- Without a session ----------------------------------------------------------------------------------------


def test_a_flatten_cancels_and_sells_and_looks_until_nothing_is_left(there: StandIn, trader: Trader) -> None:
    there.desk.held["AAPL"] = Decimal(10)
    there.desk.fills_at_once = True
    there.desk.place(type="limit", limit_price="20.00", quantity="5")
    there.fault("place_equity_order", "lost")
    kept: list[Payload] = []

    def record(payloads: Sequence[Payload]) -> None:
        kept.extend(payloads)

    async def work(broker: RobinhoodBroker) -> None:
        flattening = Flattening(
            broker=broker,
            account="robinhood-live-desk",
            number=ACCOUNT,
            strategy="",
            asked_at=datetime.now(UTC),
            record=record,
        )
        done = await flattening.carry_out(within_s=15)
        assert done.flat and done.positions == () and done.cancelled == 1, done

    trader.with_broker(work)
    sold = there.desk.called("place_equity_order")
    assert [(each["side"], each["quantity"]) for each in sold] == [("sell", "10")], "sent once"
    assert [each.kind for each in kept].count("execution") == 1


# --- Commands -------------------------------------------------------------------------------------------------


def test_a_login_and_a_logout_by_command(
    workspace: Workspace,
    there: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def browser(url: str) -> bool:
        def look() -> None:
            with urllib.request.urlopen(url, timeout=10) as page:
                page.read()

        threading.Thread(target=look).start()
        return True

    monkeypatch.setattr(webbrowser, "open", browser)
    broker_login("desk", within_s=15.0, port=0, workspace=workspace.root, as_json=True)
    told = json.loads(capsys.readouterr().out)
    file = login_place(workspace.settings.accounts["desk"], workspace).name
    assert told == {
        "account": "desk",
        "number": ACCOUNT,
        "kept_in": file,
        "may_trade": True,
        "places_orders": True,
    }
    assert there.login.consents == 1
    broker_logout("desk", workspace=workspace.root, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"account": "desk", "forgotten": True}
    assert not Path(file).exists()


def test_only_accounts_with_a_login_are_logged_in_to(workspace: Workspace) -> None:
    with pytest.raises(FixInput, match="has no account 'elsewhere'; there are: desk, own"):
        broker_logout("elsewhere", workspace=workspace.root)
    text = (workspace.root / "magellan.toml").read_text()
    (workspace.root / "magellan.toml").write_text(
        f'{text}\n[accounts.paper]\nkind = "paper"\nnumber = "PA3"\n'
    )
    with pytest.raises(FixInput, match="'paper' is an account at alpaca, which is opened with keys"):
        broker_login("paper", workspace=workspace.root)
