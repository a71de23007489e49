"""The login to Robinhood: consent once, renewed by itself, never asked for by a session. Its tools: those we know."""

import asyncio
import stat
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from pydantic import SecretStr

from adapters.robinhood.conftest import InMemory, Trader
from adapters.robinhood.official_tools import OFFICIAL
from adapters.robinhood.stand_in import ACCOUNT, StandIn
from adapters.robinhood.test_robinhood_broker import BUY
from jumping_loop import JumpingClock, JumpingLoop
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.adapters.robinhood import access
from magellan.adapters.robinhood.broker import RobinhoodBroker
from magellan.adapters.robinhood.call_budget import CallBudget, Urgency
from magellan.adapters.robinhood.login import KeptLogin, kept_auth
from magellan.adapters.robinhood.login_place import LoginFile
from magellan.errors import AskOperator, FixInput, TryAgain
from magellan.ports.broker import Accepted, Refused
from magellan.wiring.robinhood import log_in, login_place, robinhood_broker
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.workspace import Workspace

MAGELLAN_TOML = f"""
[accounts.desk]
broker = "robinhood"
kind = "live"
number = "{ACCOUNT}"
data = {{ source = "yahoo" }}
"""


@pytest.fixture
def workspace(tmp_path: Path, there: StandIn, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose account is at the stand-in."""
    (tmp_path / "magellan.toml").write_text(MAGELLAN_TOML)
    monkeypatch.setattr(access, "SERVER", there.address)
    return Workspace.at(tmp_path)


def account_of(workspace: Workspace) -> BrokerAccount:
    return workspace.settings.accounts["desk"]


async def consents(url: str) -> None:
    """A person's browser: it follows the consent page back to this machine."""
    async with aiohttp.ClientSession() as browser, browser.get(url) as page:
        assert page.status == 200, await page.text()


# --- Consent --------------------------------------------------------------------------------------------------


def test_a_person_consents_once_and_sessions_go_on_from_there(workspace: Workspace, there: StandIn) -> None:
    shown: list[str] = []

    async def show(url: str) -> None:
        shown.append(url)
        await consents(url)

    account = account_of(workspace)
    snapshot = asyncio.run(log_in(account, workspace, port=0, within_s=10, show=show))
    assert (snapshot.account_id, there.login.consents) == (ACCOUNT, 1)
    asked = parse_qs(urlsplit(shown[0]).query)
    assert asked["code_challenge_method"] == ["S256"] and asked["scope"] == ["internal"]
    assert asked["redirect_uri"][0].startswith("http://127.0.0.1:")
    file = workspace.state_folder / "logins" / f"robinhood-{ACCOUNT}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    async def look() -> Any:
        broker = robinhood_broker(account, workspace, MemoryLedger(lambda: snapshot.as_of))
        try:
            return await broker.positions()
        finally:
            await broker.close()

    assert asyncio.run(look()) == ()
    assert there.login.consents == 1, "nobody was asked again"


@pytest.mark.parametrize(
    ("back", "error", "told"),
    [
        ("error=access_denied", FixInput, "access_denied"),
        ("code=stolen&state=another", TryAgain, "State parameter mismatch"),
        ("", TryAgain, "nobody consented within"),
    ],
)
def test_without_consent_the_login_before_stays(
    workspace: Workspace, there: StandIn, back: str, error: type[Exception], told: str
) -> None:
    place = login_place(account_of(workspace), workspace)
    place.write(SecretStr("the one before"))

    async def show(url: str) -> None:
        callback = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        if back:
            async with aiohttp.ClientSession() as browser, browser.get(f"{callback}?{back}"):
                pass

    with pytest.raises(error, match=told):
        asyncio.run(log_in(account_of(workspace), workspace, port=0, within_s=1, show=show))
    kept = place.read()
    assert kept is not None and kept.get_secret_value() == "the one before"
    assert there.desk.calls == []


def test_a_page_that_is_no_consent_ends_nothing(workspace: Workspace, there: StandIn) -> None:
    async def show(url: str) -> None:
        callback = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        async with aiohttp.ClientSession() as browser, browser.get(callback) as page:
            assert page.status == 400
        await consents(url)

    snapshot = asyncio.run(log_in(account_of(workspace), workspace, port=0, within_s=10, show=show))
    assert snapshot.account_id == ACCOUNT


# --- What is kept ---------------------------------------------------------------------------------------------


def test_without_a_login_a_person_is_told_how_to_make_one(workspace: Workspace) -> None:
    with pytest.raises(FixInput, match="nobody has logged in to Robinhood for 'desk'") as refused:
        robinhood_broker(account_of(workspace), workspace, MemoryLedger(lambda: datetime.now(UTC)))
    assert "magellan broker login desk" in refused.value.next_step


def test_a_login_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    file = LoginFile(tmp_path / "login.json")
    file.write(SecretStr("{}"))
    file.path.chmod(0o644)
    with pytest.raises(FixInput, match=r"can be read or changed by others \(mode 644\)"):
        file.read()


def test_a_file_that_is_no_login_is_refused_without_repeating_it() -> None:
    place = InMemory({"tokens-of": "somebody"})
    with pytest.raises(FixInput, match="the login in memory cannot be read") as refused:
        kept_auth("http://127.0.0.1:9/mcp", KeptLogin(place), account="desk")
    assert "somebody" not in str(refused.value)


# --- Tokens that end ------------------------------------------------------------------------------------------


def test_a_token_that_ends_is_renewed_where_the_server_said_and_the_new_one_is_kept(
    there: StandIn, trader: Trader
) -> None:
    assert trader.place.login is not None
    old = trader.place.login["tokens"]["refresh_token"]
    trader.place.login["ends_at_s"] = 1.0
    assert trader.with_broker(lambda broker: broker.positions()) == ()
    assert (there.login.renewals, there.login.consents) == (1, 0)
    assert trader.place.login["tokens"]["refresh_token"] != old
    assert trader.with_broker(lambda broker: broker.positions()) == ()
    assert there.login.renewals == 1, "the new one is good"


def test_a_login_that_was_taken_back_is_for_a_person_and_sends_nothing(
    there: StandIn, trader: Trader
) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        await broker.positions()
        there.login.forget()
        with pytest.raises(FixInput, match="has run out, or was taken back there") as told:
            await broker.positions()
        assert "magellan broker login desk" in told.value.next_step
        answer = await broker.submit(BUY)
        assert isinstance(answer, Refused) and "was taken back" in answer.message
        assert isinstance(await broker.cancel("any"), Refused)

    trader.with_broker(work)
    assert there.login.consents == 0 and there.desk.orders == {}


def test_a_login_that_a_person_makes_anew_is_taken_over_by_a_session_that_runs(
    there: StandIn, trader: Trader
) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        await broker.positions()
        there.login.forget()
        trader.place.login = there.consented()
        with pytest.raises(FixInput):
            await broker.positions()

        assert await broker.positions() == ()

    trader.with_broker(work)


# --- Tools ----------------------------------------------------------------------------------------------------


def without(tool: str) -> dict[str, Any]:
    return {name: schema for name, schema in OFFICIAL.items() if name != tool}


def renamed(tool: str, old: str, new: str) -> dict[str, Any]:
    takes, tells = OFFICIAL[tool]
    properties = {new if name == old else name: schema for name, schema in takes["properties"].items()}
    return OFFICIAL | {tool: (takes | {"properties": properties}, tells)}


def demanding(tool: str, what: str) -> dict[str, Any]:
    takes, tells = OFFICIAL[tool]
    properties = takes["properties"] | {what: {"type": "string"}}
    return OFFICIAL | {
        tool: (takes | {"properties": properties, "required": [*takes["required"], what]}, tells)
    }


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        (without("get_equity_orders"), "get_equity_orders is not there"),
        (without("review_equity_order"), "review_equity_order is not there"),
        (
            renamed("place_equity_order", "ref_id", "request_id"),
            "place_equity_order takes no ref_id any more",
        ),
        (demanding("place_equity_order", "consent_id"), "place_equity_order now wants consent_id"),
    ],
)
def test_tools_that_are_not_those_we_know_end_it_before_anything_is_asked(
    there: StandIn, trader: Trader, tools: dict[str, Any], told: str
) -> None:
    there.tools = tools
    with pytest.raises(AskOperator, match=told):
        trader.with_broker(lambda broker: broker.positions())
    answer = trader.with_broker(lambda broker: broker.submit(BUY))
    assert isinstance(answer, Refused) and told in answer.message
    assert there.desk.calls == []


def test_an_account_that_is_only_read_needs_no_tools_for_orders(there: StandIn, trader: Trader) -> None:
    there.tools = without("place_equity_order")
    assert trader.with_broker(lambda broker: broker.positions(), places_orders=False) == ()


def test_a_server_of_the_newer_protocol_is_spoken_to_as_well(there: StandIn, trader: Trader) -> None:
    there.is_modern = True

    async def work(broker: RobinhoodBroker) -> None:
        assert isinstance(await broker.submit(BUY), Accepted)
        assert len(await broker.open_orders()) == 1

    trader.with_broker(work)


def test_a_server_that_was_restarted_is_connected_to_anew(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        await broker.positions()
        there.forget_sessions()
        assert await broker.positions() == ()
        assert isinstance(await broker.submit(BUY), Accepted)

    trader.with_broker(work)


# --- How often it is asked ------------------------------------------------------------------------------------


def in_turns(work: Callable[[CallBudget], Awaitable[list[str]]]) -> list[str]:
    async def worked() -> list[str]:
        return await work(CallBudget(0.5))

    with asyncio.Runner(loop_factory=lambda: JumpingLoop(JumpingClock())) as runner:
        return runner.run(worked())


def test_calls_keep_their_distance_and_an_order_goes_before_a_question() -> None:
    async def work(budget: CallBudget) -> list[str]:
        loop, done, at = asyncio.get_running_loop(), [], []

        async def call(name: str, urgency: Urgency) -> None:
            await budget.turn(urgency)
            done.append(name)
            at.append(loop.time())

        await asyncio.gather(
            *(call(f"question {number}", Urgency.QUESTION) for number in range(3)),
            call("look-up", Urgency.LOOK_UP),
            call("order", Urgency.ORDER),
        )
        assert at == [0.0, 0.5, 1.0, 1.5, 2.0]
        return done

    assert in_turns(work) == ["question 0", "order", "look-up", "question 1", "question 2"]


def test_who_no_longer_waits_takes_no_turn() -> None:
    async def work(budget: CallBudget) -> list[str]:
        await budget.turn(Urgency.QUESTION)
        gone = asyncio.create_task(budget.turn(Urgency.ORDER))
        await asyncio.sleep(0)
        gone.cancel()
        await budget.turn(Urgency.QUESTION)
        return ["went on"]

    assert in_turns(work) == ["went on"]
