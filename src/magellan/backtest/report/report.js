"use strict";
// Draws the charts and the table of trades from the numbers in the page. Nothing is fetched, nothing is stored.
// Times are minutes of the exchange's wall clock since 1970-01-01; they are formatted as if they were UTC.

const data = JSON.parse(document.getElementById("data").textContent);
const MINUS = "\u2212";
const SPACE = "\u00a0";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const CONFIG = {
  displaylogo: false,
  displayModeBar: window.innerWidth > 640, // on a phone it would cover the legend
  responsive: true,
  modeBarButtons: [["zoom2d", "pan2d", "resetScale2d"], ["toImage"]], // named, so that none shares or uploads
  toImageButtonOptions: { format: "png", scale: 2 },
};

// Words --------------------------------------------------------------------------------------------------------

function number(value, digits, signed) {
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  if (!/[1-9]/.test(text)) return text;
  return (value < 0 ? MINUS : signed ? "+" : "") + text;
}

function money(value, signed) {
  const text = number(Math.abs(value), 2);
  return (/[1-9]/.test(text) ? (value < 0 ? MINUS : signed ? "+" : "") : "") + "$" + text;
}

function percent(fraction, digits, signed) {
  return number(100 * fraction, digits, signed) + SPACE + "%";
}

function two(value) {
  return String(value).padStart(2, "0");
}

function parts(minutes) {
  const at = new Date(minutes * 60000);
  return { year: at.getUTCFullYear(), month: at.getUTCMonth(), day: at.getUTCDate(), hour: at.getUTCHours(), minute: at.getUTCMinutes() };
}

function dateText(minutes) {
  const at = parts(minutes);
  return `${at.year}-${two(at.month + 1)}-${two(at.day)}`;
}

function timeText(minutes) {
  const at = parts(minutes);
  return `${two(at.hour)}:${two(at.minute)}`;
}

function whenText(minutes) {
  return data.daily ? dateText(minutes) : `${dateText(minutes)} ${timeText(minutes)}`;
}

// Colours follow the reader's light or dark scheme -------------------------------------------------------------

function colours() {
  const style = getComputedStyle(document.documentElement);
  const named = {};
  for (const name of ["text", "muted", "line", "faint", "card", "own", "gain", "loss", "held", "area", "fall"]) {
    named[name] = style.getPropertyValue(`--${name}`).trim();
  }
  return named;
}

function frame(colour) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour.muted },
    margin: { l: 62, r: 14, t: 12, b: 34 },
    hoverlabel: { bgcolor: colour.card, bordercolor: colour.line, font: { color: colour.text, size: 12 }, align: "left" },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal", font: { color: colour.text } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour.held, activecolor: colour.own },
    showlegend: false,
    dragmode: "zoom",
  };
}

function axis(colour, more) {
  return Object.assign(
    { gridcolor: colour.line, zerolinecolor: colour.line, linecolor: colour.line, tickcolor: colour.line, automargin: true },
    more,
  );
}

function place(id) {
  return document.getElementById(id);
}

// Equity, drawdown, exposure -----------------------------------------------------------------------------------

let logScale = false;

function drawEquity() {
  const target = place("equity-chart");
  if (!target || !data.equity) return;
  const colour = colours();
  const figure = data.equity;
  const at = figure.at.map((minutes) => minutes * 60000);
  const shape = data.daily ? "linear" : "hv"; // over a night nothing changes until the next close
  const traces = [];
  if (figure.benchmark) {
    traces.push({
      x: at, y: figure.benchmark, name: "buy and hold", mode: "lines", line: { color: colour.held, width: 1.5, dash: "dot", shape },
      hovertemplate: "%{y:$,.0f}",
    });
  }
  traces.push({ x: at, y: figure.equity, name: "this run", mode: "lines", line: { color: colour.own, width: 2, shape }, hovertemplate: "%{y:$,.0f}" });
  if (figure.benchmark) {
    traces.push({
      x: at, y: figure.benchmarkDrawdown, name: "buy and hold, drawdown", mode: "lines", yaxis: "y2", showlegend: false,
      line: { color: colour.held, width: 1, dash: "dot", shape }, hovertemplate: "%{y:.1%}",
    });
  }
  traces.push({
    x: at, y: figure.drawdown, name: "drawdown", mode: "lines", yaxis: "y2", showlegend: false, fill: "tozeroy", fillcolor: colour.fall,
    line: { color: colour.loss, width: 1.2, shape }, hovertemplate: "%{y:.1%}",
  });
  const exposure = { x: figure.exposureAt.map((minutes) => minutes * 60000), y: figure.exposure, name: "exposure", yaxis: "y3", showlegend: false, hovertemplate: "%{y:.0%}" };
  const asLine = { mode: "lines", fill: "tozeroy", fillcolor: colour.area, line: { color: colour.own, width: 1, shape: "hv" } };
  const asBars = { type: "bar", width: 86400000, offset: 0, marker: { color: colour.own, line: { width: 0 } } }; // a day wide
  traces.push(Object.assign(exposure, data.daily ? asLine : asBars));
  const title = (text, y) => ({
    text, xref: "paper", yref: "paper", x: 0, y, xanchor: "left", yanchor: "bottom", showarrow: false, font: { color: colour.muted, size: 11 },
  });
  const layout = Object.assign(frame(colour), {
    showlegend: true,
    hovermode: "x unified",
    xaxis: axis(colour, { type: "date", anchor: "y3", showgrid: true, hoverformat: data.daily ? "%e %b %Y" : "%e %b %Y %H:%M" }),
    yaxis: axis(colour, { domain: [0.47, 1], type: logScale ? "log" : "linear", tickprefix: "$", tickformat: "~s" }),
    yaxis2: axis(colour, { domain: [0.22, 0.41], tickformat: ".0%", nticks: 4 }),
    yaxis3: axis(colour, { domain: [0, 0.16], tickformat: ".0%", nticks: 4, rangemode: "tozero" }),
    annotations: [title("drawdown", 0.41), title(data.daily ? "net exposure of equity" : "net exposure of equity, mean of each session", 0.16)],
    uirevision: "equity",
  });
  Plotly.react(target, traces, layout, CONFIG);
}

function equityControls() {
  const linear = place("scale-linear");
  const log = place("scale-log");
  if (!linear || !log) return;
  const allAboveZero = data.equity.equity.every((value) => value > 0);
  log.disabled = !allAboveZero;
  const choose = (isLog) => {
    logScale = isLog;
    linear.setAttribute("aria-pressed", String(!isLog));
    log.setAttribute("aria-pressed", String(isLog));
    drawEquity();
  };
  linear.addEventListener("click", () => choose(false));
  log.addEventListener("click", () => choose(true));
}

// Trades on price ----------------------------------------------------------------------------------------------
// The horizontal axis counts bars, so that nights and weekends take no room. Far out, spans of bars show as a band
// from lowest to highest with the last close; near, where single bars are known, they show as candles.

const CANDLES_SHOWN_MAX = 500;
const MARKS_SHOWN_MAX = 800;
const price = { symbol: 0, first: 0, last: 0, trade: -1, drawing: false };
const decoded = new Map();

function candlesOf(symbol) {
  if (!decoded.has(symbol)) {
    const figure = data.prices[symbol];
    const all = { row: [], at: [], open: [], high: [], low: [], close: [] };
    for (const run of figure.candles) {
      let minutes = 0;
      let before = 0;
      run.at.forEach((step, index) => {
        minutes += step;
        const open = before + run.open[index];
        const close = open + run.close[index];
        before = close;
        all.row.push(run.row + index);
        all.at.push(minutes);
        all.open.push(open / figure.scale);
        all.high.push((Math.max(open, close) + run.high[index]) / figure.scale);
        all.low.push((Math.min(open, close) - run.low[index]) / figure.scale);
        all.close.push(close / figure.scale);
      });
    }
    decoded.set(symbol, all);
  }
  return decoded.get(symbol);
}

// The overview's columns, from the steps in the page to rows, minutes and prices.
function unpackOverviews() {
  const summed = (steps) => {
    let total = 0;
    return steps.map((step) => (total += step));
  };
  for (const figure of data.prices || []) {
    const close = summed(figure.close);
    figure.row = summed(figure.row);
    figure.at = summed(figure.at);
    figure.low = close.map((value, index) => (value - figure.low[index]) / figure.scale);
    figure.high = close.map((value, index) => (value + figure.high[index]) / figure.scale);
    figure.close = close.map((value) => value / figure.scale);
  }
}

function firstAtLeast(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function ticks(rows, times, first, last, most) {
  const from = firstAtLeast(rows, first);
  const to = firstAtLeast(rows, last + 1);
  const levels = [
    { key: (m) => parts(m).year, text: (m) => String(parts(m).year) },
    { key: (m) => parts(m).year * 12 + parts(m).month, text: (m) => `${MONTHS[parts(m).month]} ${parts(m).year}` },
    { key: (m) => Math.floor(m / 1440), text: (m) => `${parts(m).day} ${MONTHS[parts(m).month]}` },
    ...[120, 60, 30, 15, 5, 1].map((span) => ({ key: (m) => Math.floor(m / span), text: timeText })),
  ];
  let best = null;
  for (const level of data.daily ? levels.slice(0, 3) : levels) {
    const found = [];
    for (let index = Math.max(from, 1); index < to; index += 1) {
      if (level.key(times[index]) !== level.key(times[index - 1])) found.push(index);
    }
    if (found.length > most) {
      if (!best || best.found.length < 3) {
        const step = Math.ceil(found.length / most);
        best = { level, found: found.filter((_, place) => place % step === 0) };
      }
      break;
    }
    best = { level, found };
  }
  if (!best) return { tickvals: [], ticktext: [] };
  let day = null;
  const ticktext = best.found.map((index) => {
    const minutes = times[index];
    const today = Math.floor(minutes / 1440);
    const text = best.level.text(minutes);
    const isTime = best.level.text === timeText;
    const withDay = isTime && today !== day ? `${text}<br>${parts(minutes).day} ${MONTHS[parts(minutes).month]}` : text;
    day = today;
    return withDay;
  });
  return { tickvals: best.found.map((index) => rows[index]), ticktext };
}

function tradesOf(symbol) {
  const chosen = [];
  data.trades.symbol.forEach((each, trade) => {
    if (each === symbol) chosen.push(trade);
  });
  return chosen;
}

function tradeText(trade) {
  const t = data.trades;
  const digits = data.prices[t.symbol[trade]].digits;
  const open = t.open[trade];
  return [
    `<b>${t.long[trade] ? "long" : "short"} ${number(t.units[trade], t.units[trade] % 1 ? 4 : 0)} ${data.prices[t.symbol[trade]].symbol}</b>`,
    `in ${whenText(t.entered[trade])} at ${number(t.entry[trade], digits)}`,
    open ? `still open, last ${number(t.exit[trade], digits)}` : `out ${whenText(t.exited[trade])} at ${number(t.exit[trade], digits)}`,
    open ? "" : t.reasons[t.reason[trade]],
    `${money(t.pnl[trade], true)}, ${percent(t.return[trade], 2, true)}`,
  ].filter(Boolean);
}

function drawPrice() {
  const target = place("price-chart");
  if (!target || !data.prices) return;
  const colour = colours();
  const figure = data.prices[price.symbol];
  const candles = candlesOf(price.symbol);
  const first = Math.max(0, price.first);
  const last = Math.min(figure.bars - 1, price.last);
  const room = last - first;
  const from = first - room;
  const to = last + room;
  const traces = [];
  const low = firstAtLeast(candles.row, first);
  const high = firstAtLeast(candles.row, last + 1);
  const showCandles = high > low && room + 1 <= CANDLES_SHOWN_MAX;
  const showOverview = !showCandles || high - low < 0.98 * (room + 1); // where some bars are not known singly
  let bottom = Infinity;
  let top = -Infinity;
  let tickRows = figure.row;
  let tickTimes = figure.at;
  if (showOverview) {
    const begin = Math.max(0, firstAtLeast(figure.row, from) - 1);
    const end = Math.min(figure.row.length, firstAtLeast(figure.row, to) + 1);
    const row = figure.row.slice(begin, end);
    const line = { color: "rgba(0,0,0,0)", width: 0 };
    traces.push({ x: row, y: figure.low.slice(begin, end), mode: "lines", line, hoverinfo: "skip", showlegend: false });
    traces.push({
      x: row, y: figure.high.slice(begin, end), mode: "lines", line, fill: "tonexty", fillcolor: colour.area, hoverinfo: "skip", showlegend: false,
    });
    traces.push({
      x: row, y: figure.close.slice(begin, end), mode: "lines", name: "close", showlegend: false, line: { color: colour.held, width: 1.3 },
      text: figure.at.slice(begin, end).map(whenText), hovertemplate: `%{text}<br>close %{y:,.${figure.digits}f}<extra></extra>`,
    });
    const inside = firstAtLeast(figure.row, first);
    for (let index = inside; index < figure.row.length && (figure.row[index] <= last || index === inside); index += 1) {
      bottom = Math.min(bottom, figure.low[index]);
      top = Math.max(top, figure.high[index]);
    }
  }
  if (showCandles) {
    const begin = firstAtLeast(candles.row, from);
    const end = firstAtLeast(candles.row, to + 1);
    const cut = (name) => candles[name].slice(begin, end);
    const row = cut("row");
    const at = cut("at");
    const [open, highs, lows, close] = ["open", "high", "low", "close"].map(cut);
    const text = row.map(
      (_, index) => `${whenText(at[index])}<br>open ${number(open[index], figure.digits)}<br>high ${number(highs[index], figure.digits)}` +
        `<br>low ${number(lows[index], figure.digits)}<br>close ${number(close[index], figure.digits)}`,
    );
    traces.push({
      type: "candlestick", x: row, open, high: highs, low: lows, close, text, hoverinfo: "text", name: "price", showlegend: false,
      increasing: { line: { color: colour.gain, width: 1 }, fillcolor: colour.card },
      decreasing: { line: { color: colour.loss, width: 1 }, fillcolor: colour.loss },
      whiskerwidth: 0,
    });
    for (let index = low; index < high; index += 1) {
      bottom = Math.min(bottom, candles.low[index]);
      top = Math.max(top, candles.high[index]);
    }
    if (!showOverview) {
      tickRows = candles.row;
      tickTimes = candles.at;
    }
  }
  const { shown, left } = visibleTrades(first, last);
  traces.push(...tradeTraces(shown, colour, room));
  for (const trade of shown) {
    for (const value of [data.trades.entry[trade], data.trades.exit[trade]]) {
      bottom = Math.min(bottom, value);
      top = Math.max(top, value);
    }
  }
  const margin = 0.06 * (top - bottom || Math.abs(top) || 1);
  const width = target.clientWidth || 800;
  const layout = Object.assign(frame(colour), {
    xaxis: axis(colour, {
      type: "linear", range: [first - 0.5, last + 0.5], rangeslider: { visible: false }, showgrid: false,
      ...ticks(tickRows, tickTimes, first, last, Math.max(3, Math.floor(width / 105))),
    }),
    yaxis: axis(colour, { range: [bottom - margin, top + margin], fixedrange: true, tickprefix: "$" }),
    showlegend: true,
    hovermode: "closest",
    shapes: price.trade < 0 ? [] : [chosenShape(colour)],
  });
  price.drawing = true;
  Plotly.react(target, traces, layout, CONFIG).then(() => {
    price.drawing = false;
  });
  tellTrade(left);
}

function visibleTrades(first, last) {
  const t = data.trades;
  let shown = tradesOf(price.symbol).filter((trade) => t.exitRow[trade] >= first && t.entryRow[trade] <= last);
  const all = shown.length;
  if (all > MARKS_SHOWN_MAX) {
    shown = shown.sort((a, b) => Math.abs(t.pnl[b]) - Math.abs(t.pnl[a])).slice(0, MARKS_SHOWN_MAX).sort((a, b) => a - b);
  }
  return { shown, left: all - shown.length };
}

function tradeTraces(shown, colour, room) {
  const t = data.trades;
  const text = shown.map((trade) => tradeText(trade).join("<br>"));
  const many = shown.length > 150;
  const size = many ? 6 : 10;
  const gained = (trade) => t.pnl[trade] > 0;
  const lines = (wanted, color, dash) => {
    const x = [];
    const y = [];
    for (const trade of shown) {
      if (gained(trade) !== wanted) continue;
      x.push(t.entryRow[trade], t.exitRow[trade], null);
      y.push(t.entry[trade], t.exit[trade], null);
    }
    return { x, y, mode: "lines", line: { color, width: 1.4, dash }, hoverinfo: "skip", showlegend: false };
  };
  const marks = (chosen, name, row, value, symbol, color, filled) => ({
    x: chosen.map((index) => t[row][shown[index]]), y: chosen.map((index) => t[value][shown[index]]), mode: "markers", name,
    text: chosen.map((index) => text[index]), customdata: chosen.map((index) => shown[index]), hovertemplate: "%{text}<extra></extra>",
    marker: { symbol, size, color: filled ? color : colour.card, line: { color, width: 1.6 } },
  });
  const indices = shown.map((_, index) => index);
  const where = (test) => indices.filter((index) => test(shown[index]));
  const found = [];
  if (!many && room < 20000) found.push(lines(true, colour.gain, "solid"), lines(false, colour.loss, "dot"));
  const add = (chosen, ...how) => {
    if (chosen.length) found.push(marks(chosen, ...how));
  };
  add(where((trade) => t.long[trade]), "long entry", "entryRow", "entry", "triangle-up", colour.text, true);
  add(where((trade) => !t.long[trade]), "short entry", "entryRow", "entry", "triangle-down", colour.text, true);
  add(where((trade) => !t.open[trade] && gained(trade)), "exit with a gain", "exitRow", "exit", "circle", colour.gain, true);
  add(where((trade) => !t.open[trade] && !gained(trade)), "exit without", "exitRow", "exit", "x-thin-open", colour.loss, true);
  add(where((trade) => t.open[trade]), "still open", "exitRow", "exit", "diamond", colour.text, false);
  return found;
}

function chosenShape(colour) {
  const t = data.trades;
  return {
    type: "rect", xref: "x", yref: "paper", x0: t.entryRow[price.trade] - 0.5, x1: t.exitRow[price.trade] + 0.5, y0: 0, y1: 1,
    fillcolor: colour.area, line: { width: 0 }, layer: "below",
  };
}

function tellTrade(left) {
  const box = place("chosen-trade");
  const mine = tradesOf(price.symbol);
  place("trade-before").disabled = !mine.length;
  place("trade-after").disabled = !mine.length;
  if (price.trade >= 0) {
    box.textContent = `${mine.indexOf(price.trade) + 1} of ${mine.length}: ` + tradeText(price.trade).join(", ").replace(/<\/?b>/g, "");
  } else if (left > 0) {
    box.textContent = `${left} smaller trades are not drawn at this distance; zoom in to see them.`;
  } else {
    box.textContent = mine.length ? "" : "No trade in this symbol.";
  }
}

function showRange(first, last) {
  const bars = data.prices[price.symbol].bars;
  price.first = Math.max(0, Math.floor(first));
  price.last = Math.min(bars - 1, Math.ceil(last));
  if (price.last - price.first < 10) {
    price.first = Math.max(0, price.first - 5);
    price.last = Math.min(bars - 1, price.last + 5);
  }
  drawPrice();
}

function showSymbol(symbol) {
  price.symbol = symbol;
  price.trade = -1;
  const choice = place("price-symbol");
  if (choice) choice.value = String(symbol);
  markRow();
  showRange(0, data.prices[symbol].bars - 1);
}

function showTrade(trade) {
  const t = data.trades;
  price.symbol = t.symbol[trade];
  price.trade = trade;
  place("price-symbol").value = String(price.symbol);
  markRow();
  showRange(t.entryRow[trade] - data.around, t.exitRow[trade] + Math.floor(data.around / 2));
}

function stepTrade(step) {
  const mine = tradesOf(price.symbol);
  if (!mine.length) return;
  const at = mine.indexOf(price.trade);
  showTrade(mine[at < 0 ? (step > 0 ? 0 : mine.length - 1) : (at + step + mine.length) % mine.length]);
}

function priceControls() {
  const choice = place("price-symbol");
  if (!choice) return;
  const counts = data.prices.map((_, symbol) => tradesOf(symbol).length);
  data.prices.forEach((figure, symbol) => {
    const option = document.createElement("option");
    option.value = String(symbol);
    option.textContent = `${figure.symbol} (${counts[symbol]})`;
    choice.append(option);
  });
  choice.addEventListener("change", () => showSymbol(Number(choice.value)));
  place("trade-before").addEventListener("click", () => stepTrade(-1));
  place("trade-after").addEventListener("click", () => stepTrade(1));
  place("whole-run").addEventListener("click", () => showSymbol(price.symbol));
  showSymbol(counts.indexOf(Math.max(...counts)));
  const target = place("price-chart");
  target.on("plotly_relayout", (change) => {
    if (price.drawing) return;
    if (change["xaxis.autorange"]) showSymbol(price.symbol);
    else if ("xaxis.range[0]" in change) showRange(change["xaxis.range[0]"], change["xaxis.range[1]"]);
    else if (change["xaxis.range"]) showRange(...change["xaxis.range"]);
  });
  target.on("plotly_click", (event) => {
    const trade = event.points.map((point) => point.customdata).find((each) => Number.isInteger(each));
    if (trade !== undefined) showTrade(trade);
  });
}

// Distribution of trade returns, and how far trades went both ways ---------------------------------------------

function drawDistribution() {
  const target = place("distribution-chart");
  if (!target || !data.distribution) return;
  const colour = colours();
  const { edges, counts, width, mean, median } = data.distribution;
  const middles = counts.map((_, index) => (edges[index] + edges[index + 1]) / 2);
  const digits = width < 0.001 ? 2 : width < 0.01 ? 1 : 0;
  const line = (value, text, dash, y) => ({
    shape: { type: "line", x0: value, x1: value, yref: "paper", y0: 0, y1: 1, line: { color: colour.text, width: 1.3, dash } },
    label: { text: `${text} ${percent(value, 2, true)}`, x: value, yref: "paper", y, showarrow: false, xanchor: value >= 0 ? "left" : "right", xshift: value >= 0 ? 4 : -4, bgcolor: colour.card, borderpad: 1, font: { color: colour.text, size: 11 } },
  });
  const lines = [line(mean, "mean", "solid", 0.99), line(median, "median", "dot", 0.9)];
  const trace = {
    type: "bar", x: middles, y: counts, width: middles.map(() => width * 0.94),
    marker: { color: middles.map((value) => (value < 0 ? colour.loss : colour.gain)) },
    text: counts.map((_, index) => `${percent(edges[index], digits, true)} to ${percent(edges[index + 1], digits, true)}`),
    textposition: "none", hovertemplate: "%{text}<br>%{y} trades<extra></extra>",
  };
  const layout = Object.assign(frame(colour), {
    bargap: 0,
    xaxis: axis(colour, { tickformat: `.${digits}%`, title: { text: "return of a trade, after costs" }, zeroline: true, zerolinecolor: colour.muted }),
    yaxis: axis(colour, { title: { text: "trades" }, rangemode: "tozero" }),
    shapes: lines.map((each) => each.shape),
    annotations: lines.map((each) => each.label),
  });
  Plotly.react(target, [trace], layout, CONFIG);
}

function drawExcursions() {
  const target = place("excursion-chart");
  if (!target || !data.trades || !data.trades.symbol.length) return;
  const colour = colours();
  const t = data.trades;
  const indices = t.symbol.map((_, trade) => trade);
  const text = indices.map((trade) => tradeText(trade).join("<br>"));
  const cloud = (name, xaxis, wanted) => {
    const chosen = indices.filter((trade) => t.pnl[trade] > 0 === wanted);
    const color = wanted ? colour.gain : colour.loss;
    return {
      x: chosen.map((trade) => t[name][trade]), y: chosen.map((trade) => t.return[trade]), text: chosen.map((trade) => text[trade]),
      customdata: chosen, mode: "markers", xaxis, yaxis: "y", name: wanted ? "gained" : "did not gain", showlegend: xaxis === "x",
      marker: { color, size: 7, opacity: 0.85, symbol: wanted ? "circle" : "x-thin-open", line: { color, width: wanted ? 0 : 1.6 } },
      hovertemplate: "%{text}<extra></extra>",
    };
  };
  const traces = [cloud("mae", "x", true), cloud("mae", "x", false), cloud("mfe", "x2", true), cloud("mfe", "x2", false)];
  const layout = Object.assign(frame(colour), {
    showlegend: true,
    hovermode: "closest",
    xaxis: axis(colour, { domain: [0, 0.47], tickformat: ".1~%", title: { text: "furthest against us (MAE)" }, rangemode: "tozero" }),
    xaxis2: axis(colour, { domain: [0.53, 1], tickformat: ".1~%", title: { text: "furthest for us (MFE)" }, rangemode: "tozero", anchor: "y" }),
    yaxis: axis(colour, { tickformat: ".1~%", title: { text: "return" }, zeroline: true, zerolinecolor: colour.muted }),
  });
  const isNew = !target.data;
  Plotly.react(target, traces, layout, CONFIG);
  if (isNew) {
    target.on("plotly_click", (event) => {
      showTrade(event.points[0].customdata);
      place("prices").scrollIntoView();
    });
  }
}

// Table of trades ----------------------------------------------------------------------------------------------

const ROWS_PER_PAGE = 25;
const list = { sort: "entered", down: false, page: 0, rows: [] };
const COLUMNS = [
  { key: "number", name: "#", value: (trade) => trade, text: (trade) => String(trade + 1), kind: "number" },
  { key: "symbol", name: "Symbol", value: (trade) => data.prices[data.trades.symbol[trade]].symbol },
  { key: "side", name: "Side", value: (trade) => (data.trades.long[trade] ? "long" : "short") },
  { key: "units", name: "Units", text: (trade) => number(data.trades.units[trade], data.trades.units[trade] % 1 ? 4 : 0), kind: "number" },
  { key: "entered", name: "Entered", text: (trade) => whenText(data.trades.entered[trade]) },
  { key: "entry", name: "Entry", text: (trade) => number(data.trades.entry[trade], data.prices[data.trades.symbol[trade]].digits), kind: "number" },
  { key: "exited", name: "Left", text: (trade) => (data.trades.open[trade] ? "open" : whenText(data.trades.exited[trade])) },
  { key: "exit", name: "Exit", text: (trade) => number(data.trades.exit[trade], data.prices[data.trades.symbol[trade]].digits), kind: "number" },
  { key: "pnl", name: "P&L", text: (trade) => money(data.trades.pnl[trade], true), kind: "number", toned: true },
  { key: "return", name: "Return", text: (trade) => percent(data.trades.return[trade], 2, true), kind: "number", toned: true },
  { key: "held", name: "Bars", text: (trade) => number(data.trades.held[trade], 0), kind: "number" },
  { key: "mae", name: "MAE", text: (trade) => percent(data.trades.mae[trade], 2), kind: "number" },
  { key: "mfe", name: "MFE", text: (trade) => percent(data.trades.mfe[trade], 2), kind: "number" },
  { key: "costs", name: "Costs", text: (trade) => money(data.trades.costs[trade]), kind: "number" },
  { key: "reason", name: "Reason", value: (trade) => (data.trades.open[trade] ? "still open" : data.trades.reasons[data.trades.reason[trade]]) },
];

function valueOf(column, trade) {
  return column.value ? column.value(trade) : data.trades[column.key][trade];
}

function textOf(column, trade) {
  return column.text ? column.text(trade) : valueOf(column, trade);
}

function arrange() {
  const words = place("trade-search").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const outcome = place("trade-outcome").value;
  const t = data.trades;
  const wanted = {
    all: () => true,
    gains: (trade) => t.pnl[trade] > 0,
    losses: (trade) => t.pnl[trade] < 0,
    open: (trade) => t.open[trade] === 1,
  }[outcome];
  list.rows = t.symbol.map((_, trade) => trade).filter((trade) => {
    if (!wanted(trade)) return false;
    if (!words.length) return true;
    const text = COLUMNS.filter((column) => ["symbol", "side", "entered", "exited", "reason"].includes(column.key))
      .map((column) => String(textOf(column, trade))).join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const column = COLUMNS.find((each) => each.key === list.sort);
  const sign = list.down ? -1 : 1;
  list.rows.sort((a, b) => {
    const [left, right] = [valueOf(column, a), valueOf(column, b)];
    return sign * (left < right ? -1 : left > right ? 1 : 0) || a - b;
  });
  list.page = 0;
  fillTable();
}

function fillTable() {
  const pages = Math.max(1, Math.ceil(list.rows.length / ROWS_PER_PAGE));
  list.page = Math.min(Math.max(list.page, 0), pages - 1);
  const body = place("trade-rows");
  body.replaceChildren();
  for (const trade of list.rows.slice(list.page * ROWS_PER_PAGE, (list.page + 1) * ROWS_PER_PAGE)) {
    const row = document.createElement("tr");
    row.dataset.trade = String(trade);
    COLUMNS.forEach((column, index) => {
      const cell = document.createElement(index ? "td" : "th");
      if (!index) cell.scope = "row";
      if (column.kind) cell.className = column.kind;
      if (column.toned && data.trades[column.key][trade]) cell.classList.add(data.trades[column.key][trade] > 0 ? "gain" : "loss");
      if (index) {
        cell.textContent = textOf(column, trade);
      } else {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = textOf(column, trade);
        button.title = "Show on the price chart";
        button.addEventListener("click", () => {
          showTrade(trade);
          place("prices").scrollIntoView();
        });
        cell.append(button);
      }
      row.append(cell);
    });
    body.append(row);
  }
  place("page-before").disabled = list.page === 0;
  place("page-after").disabled = list.page >= pages - 1;
  const sum = list.rows.reduce((total, trade) => total + data.trades.pnl[trade], 0);
  place("page-text").textContent = list.rows.length
    ? `${list.page * ROWS_PER_PAGE + 1} to ${Math.min((list.page + 1) * ROWS_PER_PAGE, list.rows.length)} of ${number(list.rows.length, 0)}, together ${money(sum, true)}`
    : "No trade matches.";
  for (const heading of place("trade-head").querySelectorAll("th")) {
    const sorted = heading.dataset.key === list.sort;
    if (sorted) heading.setAttribute("aria-sort", list.down ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  }
  markRow();
}

function markRow() {
  const body = place("trade-rows");
  if (!body) return;
  for (const row of body.rows) row.classList.toggle("chosen", Number(row.dataset.trade) === price.trade);
}

function csv() {
  const t = data.trades;
  const utc = (minutes) => new Date(minutes * 60000).toISOString().slice(0, 16) + "Z";
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const lines = [
    "symbol,side,units,entered_at,exited_at,entry_price,exit_price,pnl_usd,return_fraction,costs_usd,bars_held,mae_fraction,mfe_fraction,reasons,is_open",
  ];
  t.symbol.forEach((symbol, trade) => {
    lines.push([
      quoted(data.prices[symbol].symbol), t.long[trade] ? "long" : "short", t.units[trade], utc(t.enteredUtc[trade]),
      t.open[trade] ? "" : utc(t.exitedUtc[trade]), t.entry[trade], t.exit[trade], t.pnl[trade], t.return[trade], t.costs[trade],
      t.held[trade], t.mae[trade], t.mfe[trade], quoted(t.reasons[t.reason[trade]]), t.open[trade] ? "true" : "false",
    ].join(","));
  });
  return lines.join("\r\n") + "\r\n";
}

function tableControls() {
  const head = place("trade-head");
  if (!head) return;
  for (const column of COLUMNS) {
    const heading = document.createElement("th");
    heading.scope = "col";
    heading.dataset.key = column.key;
    if (column.kind) heading.className = column.kind;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = column.name;
    button.addEventListener("click", () => {
      list.down = list.sort === column.key ? !list.down : column.kind === "number" && column.key !== "number";
      list.sort = column.key;
      arrange();
    });
    heading.append(button);
    head.append(heading);
  }
  place("trade-search").addEventListener("input", arrange);
  place("trade-outcome").addEventListener("change", arrange);
  place("page-before").addEventListener("click", () => {
    list.page -= 1;
    fillTable();
  });
  place("page-after").addEventListener("click", () => {
    list.page += 1;
    fillTable();
  });
  place("trade-csv").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = `${data.name}-trades.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  arrange();
}

// Comparison of runs -------------------------------------------------------------------------------------------

function drawGrowth() {
  const target = place("growth-chart");
  if (!target || !data.growth) return;
  const colour = colours();
  const looks = [
    { color: colour.own, dash: "solid" }, { color: colour.loss, dash: "dash" }, { color: colour.held, dash: "dot" }, { color: colour.text, dash: "dashdot" },
  ];
  const traces = data.growth.map((run, index) => ({
    x: run.at.map((minutes) => minutes * 60000), y: run.growth, name: run.name, mode: "lines",
    line: { ...looks[index % looks.length], width: 2 }, hovertemplate: "%{y:+.1%}",
  }));
  traces.push(...data.growth.map((run, index) => ({
    x: run.at.map((minutes) => minutes * 60000), y: run.drawdown, name: run.name, mode: "lines", yaxis: "y2", showlegend: false,
    line: { ...looks[index % looks.length], width: 1.2 }, hovertemplate: "%{y:.1%}",
  })));
  const layout = Object.assign(frame(colour), {
    showlegend: true,
    hovermode: "x unified",
    xaxis: axis(colour, { type: "date", anchor: "y2", hoverformat: "%e %b %Y" }),
    yaxis: axis(colour, { domain: [0.36, 1], tickformat: "+.0%" }),
    yaxis2: axis(colour, { domain: [0, 0.29], tickformat: ".0%", nticks: 4 }),
    annotations: [{ text: "drawdown", xref: "paper", yref: "paper", x: 0, y: 0.29, xanchor: "left", yanchor: "bottom", showarrow: false, font: { color: colour.muted, size: 11 } }],
  });
  Plotly.react(target, traces, layout, CONFIG);
}

// ----------------------------------------------------------------------------------------------------------------

function drawAll() {
  drawEquity();
  if (place("price-chart") && data.prices) drawPrice();
  drawDistribution();
  drawExcursions();
  drawGrowth();
}

unpackOverviews();
equityControls();
priceControls();
tableControls();
drawEquity();
drawDistribution();
drawExcursions();
drawGrowth();
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
document.documentElement.dataset.drawn = "yes";
