"""A session with alpaca-mcp-server 2.4.0 over stdio: account, order, fill, position, bars."""

import asyncio
import json
import os
import sys
from pathlib import Path

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

LAUNCHER = Path(__file__).with_name("mcp_launcher.py")
SERVER = StdioServerParameters(
    command=sys.executable,
    args=[str(LAUNCHER)],
    env={
        **os.environ,
        "ALPACA_API_KEY": "PKMCP",
        "ALPACA_SECRET_KEY": "secret",
        "ALPACA_PAPER_TRADE": "true",
    },
)


async def main():
    async with stdio_client(SERVER) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools

        async def call(tool, **arguments):
            answer = await session.call_tool(tool, arguments)
            text = "".join(part.text for part in answer.content)
            assert not answer.isError, f"{tool}: {text}"
            return answer.structuredContent or json.loads(text)

        account = await call("get_account_info")
        order = await call(
            "place_stock_order", symbol="AAPL", side="buy", qty="2", type="market", time_in_force="day"
        )
        for _ in range(100):
            state = await call("get_order_by_id", order_id=found(order, "id"))
            if found(state, "status") == "filled":
                break
            await asyncio.sleep(0.05)
        position = await call("get_open_position", symbol_or_asset_id="AAPL")
        bars = await call("get_stock_bars", symbols="AAPL", timeframe="1Min", limit=20)
        print(
            json.dumps(
                {
                    "tools": len(tools),
                    "equity": found(account, "equity"),
                    "order": found(state, "status"),
                    "position": found(position, "qty"),
                    "bars": len(found(bars, "AAPL")),
                }
            )
        )


def found(document, name):
    """The first value of that name, at any depth: the server wraps what it passes on."""
    if isinstance(document, dict):
        if name in document:
            return document[name]
        document = list(document.values())
    if isinstance(document, list):
        for each in document:
            value = found(each, name)
            if value is not None:
                return value
    return None


asyncio.run(main())
