"""Same seed, same requests at the same times: the same event log, byte for byte."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from magellan.exchange.server.faults.plan_file import read_plan

PLAN = """{"faults": [
  {"kind": "refused_request", "when": {"route": "POST /v2/orders", "probability": 0.3}},
  {"kind": "partial_fill_then_cancel", "when": {"probability": 0.3}},
  {"kind": "late_event", "when": {"event": "fill", "every": 2}, "delay_s": 70},
  {"kind": "halted_symbol", "at_s": 200, "symbol": "MSFT", "duration_s": 120},
  {"kind": "external_order", "at_s": 150, "symbol": "MSFT"}]}"""


def a_session(client) -> None:
    """Some minutes of trading, with refusals, cancels, replacements and steps of every kind."""
    for turn, (symbol, side) in zip(
        range(24), itertools.cycle(itertools.product(("AAPL", "MSFT"), ("buy", "sell"))), strict=False
    ):
        order = {"symbol": symbol, "qty": str(1 + turn % 5), "side": side, "time_in_force": "day"}
        if turn % 3 == 0:
            order |= {
                "type": "limit",
                "limit_price": str(round(client.price(symbol) * (0.99 if side == "buy" else 1.01), 2)),
            }
        else:
            order |= {"type": "market"}
        answer = client.post("/v2/orders", order)
        if turn % 6 == 0 and answer.status_code == 200:
            client.delete(f"/v2/orders/{answer.json()['id']}")
        client.post(
            "/_magellan/clock/step",
            [{"by_s": 17}, {"next": "bar"}, {"next": "instant", "times": 2}][turn % 3],
        )


@pytest.mark.parametrize("plan", [None, PLAN], ids=["no faults", "faults"])
def test_two_stepped_runs_write_the_same_bytes(start: Callable, tmp_path: Path, plan: str | None) -> None:
    logs = []
    for name in ("first", "second"):
        parsed = read_plan(plan, source="plan") if plan else None
        client = start(parsed, log_file=tmp_path / name)
        a_session(client)
        client.exchange.call(lambda server: server.log.flush())
        logs.append((tmp_path / name).read_bytes())
    assert logs[0] == logs[1]
    assert logs[0].count(b"\n") > 100
    if plan:
        assert logs[0].count(b'"what":"fault"') > 5


def test_another_seed_gives_another_run(start: Callable) -> None:
    ids = {start(seed=seed).buy()["id"] for seed in (1, 2)}
    assert len(ids) == 2
