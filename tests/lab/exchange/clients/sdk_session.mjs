// A session with @alpacahq/alpaca-trade-api 4.0.2: account, order, fill on the stream, position, bars.
// MAGELLAN_EXCHANGE holds the address, for example http://127.0.0.1:8931.
import { Alpaca } from "@alpacahq/alpaca-trade-api";

const http = process.env.MAGELLAN_EXCHANGE;
const ws = http.replace("http", "ws");

// The client has no option for its addresses, but one for how it fetches: the origin is replaced there.
const fetchApi = (url, init) => {
  const asked = new URL(url);
  return fetch(http + asked.pathname + asked.search, init);
};
const alpaca = new Alpaca({ keyId: "PKJS", secret: "secret", paper: true, fetchApi });

const account = await alpaca.trading.account.getAccount();

const updates = alpaca.trading.stream({ url: ws + "/stream" });
const filled = new Promise((resolve) => updates.onTradeUpdate((each) => each.event === "fill" && resolve(each)));
updates.onConnect(() => updates.subscribeTradeUpdates());
updates.connect();

const bars = alpaca.marketData.stockStream({ url: ws + "/v2/iex", feed: "iex" });
bars.onConnect(() => bars.subscribeForBars(["AAPL"]));
bars.connect();

// The exchange says when both listen; Alpaca itself would not.
const listens = async () => {
  const { streams } = await (await fetch(http + "/_magellan/streams")).json();
  return streams.some((each) => each.listens) && streams.some((each) => each.channels?.bars);
};
while (!(await listens())) await new Promise((resolve) => setTimeout(resolve, 20));

const order = await alpaca.trading.orders.market({ symbol: "AAPL", qty: 3, side: "buy", clientOrderId: "js-1" });
const fill = await filled;
const position = await alpaca.trading.positions.getOpenPosition({ symbolOrAssetId: "AAPL" });
const past = await alpaca.marketData.getStockBarsFor("AAPL", { timeframe: "1Min", limit: 20 });
updates.disconnect();
bars.disconnect();
console.log(JSON.stringify({
  equity: account.equity, order: order.clientOrderId, event: fill.event, position: position.qty, bars: past.length,
}));
process.exit(0);
