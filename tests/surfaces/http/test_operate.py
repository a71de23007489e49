"""What a person asks of an account over HTTP, at a paper exchange that is a process of its own."""

from collections.abc import Callable
from typing import Any

import pytest

from journeys.live_desk import LiveDesk, exchange, live_desk, until
from magellan.ports.api_tokens import Scope

__all__ = ["exchange", "live_desk"]

ASKED = {"reason": "the feed looks wrong", "by": "jane"}


@pytest.fixture
def server(live_desk: LiveDesk, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """One over a workspace whose account holds something."""
    for name, value in live_desk.env.items():
        monkeypatch.setenv(name, value)
    live_desk.buy("AMC", 20)
    return serve(live_desk.root)


def test_an_account_is_flattened_and_stays_halted(server: Any, live_desk: LiveDesk) -> None:
    told = server.data("/api/flatten", method="POST", body=ASKED)
    assert told["flattened"]["flat"] is True
    assert live_desk.trading("positions") == []
    assert "halted" in server.data("/api/summary")["needs_attention"][0]
    assert server.data("/api/breakers")["halted_by"] == "jane (token tests)"


def test_a_flatten_that_does_not_get_through_is_no_success_and_says_what_is_left(
    server: Any, live_desk: LiveDesk
) -> None:
    live_desk.exchange.fault(
        kind="refused_request", status=503, when={"key_id": live_desk.key, "route": "POST /v2/orders"}
    )
    told = server.ask("/api/flatten", method="POST", body={**ASKED, "within_s": 1})
    assert (told.status, told.json["code"]) == (409, "not-flat")
    assert "NOT flat: 20 AMC" in told.json["detail"]
    assert "the account is halted" in told.json["kept"] and told.json["fix"]
    ended = server.data("/api/audit")[-1]
    assert (ended["action"], ended["result"]) == ("api flatten", "refused")


def test_whoever_may_halt_may_not_sell_everything(server: Any, live_desk: LiveDesk) -> None:
    told = server.ask("/api/flatten", method="POST", body=ASKED, token=server.scoped(Scope.OPERATE))
    assert (told.status, told.json["code"]) == (403, "no-scope")
    assert until(lambda: live_desk.trading("positions"))
