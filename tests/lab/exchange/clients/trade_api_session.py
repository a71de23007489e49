"""A session with alpaca-trade-api 3.2.0: account, order, fill on the stream, position, bars.

The addresses come from the environment: APCA_API_BASE_URL, APCA_API_DATA_URL, APCA_API_STREAM_URL; the keys too:
APCA_API_KEY_ID, APCA_API_SECRET_KEY.
"""

import asyncio
import json
import os
import threading
from datetime import UTC, datetime, timedelta

import alpaca_trade_api as tradeapi
from alpaca_trade_api.common import URL
from alpaca_trade_api.stream import Stream

api = tradeapi.REST()
account = api.get_account()

filled = threading.Event()
listening = threading.Event()
stream = Stream(
    os.environ["APCA_API_KEY_ID"],
    os.environ["APCA_API_SECRET_KEY"],
    base_url=URL(os.environ["APCA_API_BASE_URL"]),
    data_stream_url=URL(os.environ["APCA_API_STREAM_URL"]),
    data_feed="iex",
)


async def on_trade_update(update):
    if update.event == "fill":
        filled.set()


async def on_bar(bar):
    pass


stream.subscribe_trade_updates(on_trade_update)
stream.subscribe_bars(on_bar, "AAPL")
threading.Thread(target=lambda: asyncio.run(stream._run_forever()), daemon=True).start()

# Orders are sent until a fill is heard: nobody says when the stream has begun to listen.
order_ids = []
for _ in range(50):
    order = api.submit_order("AAPL", qty=1, side="buy", type="market", time_in_force="day")
    order_ids.append(order.id)
    if filled.wait(0.5):
        break

position = api.get_position("AAPL")
# Without a start it is midnight in New York, which may just have been.
yesterday = datetime.now(UTC) - timedelta(days=1)
bars = api.get_bars("AAPL", "1Min", start=yesterday.strftime("%Y-%m-%dT%H:%M:%SZ"), limit=50)
api.close_all_positions()
print(
    json.dumps(
        {
            "equity": account.equity,
            "heard_of_a_fill": filled.is_set(),
            "order": api.get_order(order_ids[0]).status,
            "position": position.qty,
            "orders": len(order_ids),
            "bars": len(bars),
            "is_open": api.get_clock().is_open,
        }
    )
)
