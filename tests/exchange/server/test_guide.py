"""The guide shows the clients' code that the lab runs, and every route, clock and option that there is."""

from pathlib import Path

import pytest

from magellan.exchange.server.clock import ClockMode

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/guides/exchange.md").read_text()
CLIENTS = ROOT / "tests/lab/exchange/clients"


@pytest.mark.parametrize("client", sorted(path.name for path in CLIENTS.iterdir() if path.is_file()))
def test_the_guide_shows_the_code_that_the_lab_runs(client: str) -> None:
    assert (CLIENTS / client).read_text().rstrip() in GUIDE


def test_the_guide_names_every_clock() -> None:
    assert [mode for mode in ClockMode if f"| `{mode}` |" not in GUIDE] == []


def test_the_guide_names_every_route_of_the_control_api(client) -> None:
    routes = client.get("/_magellan/").json()["routes"]
    named = [route.replace("/_magellan/", "").strip() for route in routes]
    missing = [route for route in named if " " in route and route.split("?")[0] not in GUIDE]
    assert missing == []
