"""Other people's clients, unmodified, each through a real session against the exchange."""

import shutil
from collections.abc import Callable

from tests.lab.exchange.conftest import CLIENTS, printing_exchange

from lab.alpaca_specs import MCP_SERVER
from lab.own_environments import node_with, python_with


def test_alpaca_trade_api_trades_and_hears_of_its_fill(exchange: dict[str, str], session: Callable) -> None:
    python = python_with("alpaca-trade-api==3.2.0")
    said = session(
        [python, CLIENTS / "trade_api_session.py"],
        APCA_API_BASE_URL=exchange["trading"],
        APCA_API_DATA_URL=exchange["data"],
        APCA_API_STREAM_URL=exchange["data"].replace("http", "ws"),
        APCA_API_KEY_ID="PKOLD",
        APCA_API_SECRET_KEY="secret",
    )
    assert said["heard_of_a_fill"] and said["is_open"]
    assert (said["equity"], said["order"], said["bars"]) == ("100000", "filled", 50)
    assert int(said["position"]) >= 1


def test_the_official_mcp_server_trades(exchange: dict[str, str], session: Callable) -> None:
    python = python_with(MCP_SERVER)
    said = session([python, CLIENTS / "mcp_session.py"], MAGELLAN_EXCHANGE=exchange["trading"])
    assert said["tools"] > 60
    assert (said["equity"], said["order"], said["position"]) == ("100000", "filled", "2")
    assert said["bars"] == 20


def test_the_javascript_sdk_trades_and_hears_of_its_fill(exchange: dict[str, str], session: Callable) -> None:
    folder = node_with("@alpacahq/alpaca-trade-api@4.0.2")
    shutil.copy(CLIENTS / "sdk_session.mjs", folder)  # Node looks for packages beside the script
    said = session(["node", "sdk_session.mjs"], cwd=folder, MAGELLAN_EXCHANGE=exchange["trading"])
    assert (said["order"], said["event"]) == ("js-1", "fill")
    assert (float(said["equity"]), float(said["position"])) == (100_000, 3)
    assert said["bars"] >= 20


def test_the_javascript_that_the_exchange_prints_opens_an_account(session: Callable) -> None:
    folder = node_with("@alpacahq/alpaca-trade-api@4.0.2")
    with printing_exchange() as said:
        lines = said.split("JavaScript SDK")[1].split("\n\n")[0].splitlines()[1:]
        assert len(lines) == 4, lines
        (folder / "printed.mjs").write_text(
            'import { Alpaca } from "@alpacahq/alpaca-trade-api";\n'
            'const [keyId, secret] = ["PKJS", "secret"];\nlet fetchApi, alpaca;\n'
            + ";\n".join(line.strip() for line in lines)
            + ";\nconst { equity } = await alpaca.trading.account.getAccount();\n"
            "console.log(JSON.stringify({ equity }));\nprocess.exit(0);\n"
        )
        assert float(session(["node", "printed.mjs"], cwd=folder)["equity"]) == 100_000
