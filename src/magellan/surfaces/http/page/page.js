"use strict";
// Everything that comes from outside (symbols, names, reasons) enters the page as text, never as HTML.
// Nothing is shown without where it is from and how old it is; what nobody told is a dash.

const KEPT = "magellan-token";
const LOOKS_EVERY_MS = 2000, LONGEST_PAUSE_MS = 20000, DEPLOYMENTS_EVERY_MS = 30000;
const at = (id) => document.getElementById(id);
const N = "number";
let token = sessionStorage.getItem(KEPT) ?? "";
let answeredAt = null, deployments = null, deploymentsAt = 0, round = 0;

const made = (name, text, kind) => {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = String(text);
  if (kind) element.className = kind;
  return element;
};
const table = (headings, rows, empty) => {
  if (!rows.length) return made("p", empty, "soft");
  const whole = made("table"), head = whole.createTHead().insertRow(), body = whole.createTBody();
  for (const [heading, kind] of headings) head.append(Object.assign(made("th", heading, kind), { scope: "col" }));
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((cell, column) => line.append(cell instanceof Node ? cell : made("td", cell ?? "–", headings[column][1])));
  }
  const box = made("div", null, "scroll");
  box.append(whole);
  return box;
};
const told = (text) => text === null || text === undefined || text === "" ? "–" : text;
const money = (text) => told(text) === "–" ? "–" :
  Number(text).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const signed = (text, name = "td") =>
  made(name, money(text), N + (told(text) === "–" ? "" : Number(text) < 0 ? " bad" : " good"));
const time = (text) => text ? text.slice(0, 19).replace("T", " ") + " UTC" : "–";
const percent = (share) => told(share) === "–" ? "–" : Math.round(100 * share) + " %";
const age = (s) => told(s) === "–" ? "age not known" : s < 120 ? s.toFixed(s < 10 ? 1 : 0) + " s ago" :
  s < 7200 ? Math.round(s / 60) + " min ago" : s < 172800 ? Math.round(s / 3600) + " h ago" : Math.round(s / 86400) + " days ago";
const source = (answer) => made("p", "from " + answer.source + ", " + (answer.as_of ? age(answer.age_s) : "nothing yet"), "soft");
const figure = (name, value) => {
  const part = made("span", name + " ", "soft");
  part.append(value instanceof Node ? value : made("b", value));
  return part;
};

class NotAnswered extends Error {
  constructor(status, problem) { super(problem.detail); this.status = status; this.problem = problem; }
}
const ask = async (path, body) => {
  const answer = await fetch(path, {
    cache: "no-store", method: body ? "POST" : "GET", body: body && JSON.stringify(body),
    headers: { Authorization: "Bearer " + token, ...(body ? { "Content-Type": "application/json" } : {}) },
  });
  if (!answer.ok) throw new NotAnswered(answer.status, await answer.json());
  return answer.json();
};

const haltForm = (name) => {
  const box = made("details"), form = made("form"), why = made("input"), button = made("button", "halt " + name, "halt");
  const outcome = made("p");
  Object.assign(why, { required: true, maxLength: 500, placeholder: "Why? It is recorded with your token's name." });
  why.setAttribute("aria-label", "why " + name + " is halted");
  form.append(why, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const { data } = await ask("/api/halt", { account: name, reason: why.value });
      outcome.textContent = data.acted === "nobody" ? "Asked; the session has not answered yet." :
        "Halted. What is held stays, with its protection. `magellan resume` lets entries in again.";
      outcome.className = data.acted === "nobody" ? "bad" : "good";
      look(++round);
    } catch (error) {
      outcome.textContent = "Not halted: " + error.message + (error.problem?.fix ? "; " + error.problem.fix : "");
      outcome.className = "bad";
    }
    button.disabled = false;
  });
  box.append(made("summary", "Halt: no entry from now on"), form, outcome);
  return box;
};

const accountBox = (name) => {
  const box = made("div", null, "account"), live = made("div");
  box.dataset.account = name;
  box.append(live, haltForm(name));
  return box;
};
const account = (answer) => {
  const each = answer.data, money_ = each.money, figures = made("div", null, "figures");
  const goes = each.switch === "running" && !each.breakers.length;
  figures.append(
    made("b", each.name ?? each.account), made("span", each.name ? each.account : "", "soft"),
    made("span", each.switch, "chip " + (goes ? "good" : "bad")),
    made("span", "session: " + each.running, "chip " + (each.running === "running" ? "good" : "")),
    figure("equity", money(money_?.equity_usd)), figure("cash", money(money_?.cash_usd)),
    figure("today", signed(each.today.net_usd, "b")), figure("open", signed(each.today.open_usd, "b")));
  const lines = [
    money_ ? "Its worth is of " + age(money_.age_s) + " (" + money_.source + ")." : "Nobody told yet what it is worth.",
    each.health.bar_age_s === null ? "" : "Last bar " + age(each.health.bar_age_s) + ".",
    each.reconciled ? "Book and broker compared: " + each.reconciled + "." : "Book and broker were not compared yet.",
  ];
  const parts = [figures, made("p", lines.filter(Boolean).join(" "), "soft")];
  if (each.halt) parts.push(made("p", "Halted by " + (each.halt.person || each.halt.source) + ": " + each.halt.reason, "bad"));
  for (const line of [...each.health.silent, ...each.differences]) parts.push(made("p", line, "bad"));
  if (each.breakers.length) parts.push(made("h3", "Breakers that tripped"), table([["breaker"], ["tripped"], ["why", "wide"]],
    each.breakers.map((b) => [b.breaker, time(b.tripped_at), b.reason]), ""));
  parts.push(made("h3", "Positions"), table(
    [["symbol"], ["quantity", N], ["entry", N], ["price", N], ["price is", ""], ["open", N]],
    each.positions.map((p) => [p.symbol, p.quantity, told(p.average_price), told(p.price),
      p.price_age_s === null ? "–" : age(p.price_age_s), signed(p.open_usd)]), "none"));
  parts.push(made("h3", "Orders that may still fill"), table(
    [["symbol"], ["side"], ["quantity", N], ["type"], ["limit", N], ["stop", N], ["status"], ["for"]],
    each.orders.map((o) => [o.symbol, o.side, told(o.quantity), o.type, told(o.limit_price), told(o.stop_price), o.status,
      told(o.purpose)]), "none"));
  parts.push(source(answer));
  return parts;
};
const accounts = (names, answers) => {
  const home = at("accounts"), there = [...home.querySelectorAll(".account")];
  // A form that somebody writes in stays where it is: only what is told beside it is drawn anew.
  if (there.map((each) => each.dataset.account).join() !== names.join() || !names.length)
    home.replaceChildren(...(names.length ? names.map(accountBox) : [made("p", "No session has traded yet.", "soft")]));
  [...home.querySelectorAll(".account")].forEach((box, index) => box.firstChild.replaceChildren(...account(answers[index])));
};

const gateOf = (gate) => made("td", gate?.answer ?? "never asked", gate?.answer === "open" ? "good" : gate?.answer ? "bad" : "soft");
const overview = (answer) => {
  const all = answer.data, gates = new Map(all.gates.map((each) => [each.strategy, each]));
  const list = made("ul");
  list.append(...all.needs_attention.map((each) => made("li", each, "bad")));
  at("attention").replaceChildren(all.needs_attention.length ? list : made("p", "Nothing that is known here.", "good"));
  at("state").hidden = false;
  at("state").textContent = all.needs_attention.length ? all.needs_attention.length + " to look at" : "nothing to look at";
  at("state").className = "chip " + (all.needs_attention.length ? "bad" : "good");
  at("strategies").replaceChildren(table([["strategy"], ["gates"], ["judged"], ["not open", "wide"]],
    all.strategies.map((label) => {
      const gate = gates.get(label);
      return [label, gateOf(gate), time(gate?.judged_at), gate?.not_open.length ? gate.not_open.join(", ") : ""];
    }), "none in this workspace"));
  at("research").replaceChildren(
    table([["run"], ["strategy"], ["from"], ["to"], ["trades", N], ["return", N], ["Sharpe", N], ["bars"]],
      all.newest_runs.map((r) => [r.run_id.slice(0, 12), r.strategy, r.first_on, r.last_on, r.trades,
        (100 * r.return_fraction).toFixed(1) + " %", r.sharpe === null ? "–" : r.sharpe.toFixed(2),
        made("td", r.generated ? "generated: no evidence" : "archived", r.generated ? "bad" : "")]), "no run is kept"),
    table([["job"], ["of"], ["state"], ["phase"], ["asked by"], ["error", "wide"]],
      all.jobs.map((j) => [j.kind, j.subject, j.state, j.state === "running" ? j.phase : "", j.asked_by, j.error]),
      "no job since the server was started"));
};
const regimes = (answer) => {
  const axis = (reading, name) => {
    const found = reading.axes.find((each) => each.axis === name);
    if (!found) return "–";
    const cell = made("td", found.label + (found.confidence === null ? "" : " " + percent(found.confidence)));
    if (![found.label, "unknown"].includes(found.likeliest) && found.label !== "unknown")
      cell.append(made("div", found.likeliest + " is likelier", "soft"));
    return cell;
  };
  at("regimes").replaceChildren(table(
    [["market"], ["bars"], ["regime"], ["volatility"], ["trend"], ["structure"], ["known since"]],
    answer.data.map((r) => [r.symbol, r.timeframe, made("td", r.no_regimes_here ? r.regime + " (none found)" : r.regime,
      r.regime === "unknown" ? "soft" : ""), axis(r, "volatility"), axis(r, "trend"), axis(r, "structure"), time(r.known_at)]),
    "no market was asked about since the server was started"), source(answer));
};
const deployed = (answer) => at("deployments").replaceChildren(table(
  [["target"], ["strategy"], ["stage"], ["account"], ["release"], ["armed"], ["process"], ["differs", "wide"]],
  answer.data.map((d) => d.out_of_reach ?
    [d.host, "", "", "", "", "", made("td", "out of reach", "bad"), d.out_of_reach] :
    [d.host, d.strategy, d.stage, told(d.account), d.release_id.slice(0, 12),
      made("td", d.armed ? "armed" : "no", d.armed ? "good" : "soft"), d.process, d.drift.length ? d.drift.join(", ") : ""]), "nothing is deployed"), source(answer));

const trouble = (text) => {
  at("trouble").hidden = !text;
  at("trouble").textContent = text;
  at("overview").className = text ? "old" : "";
};
const entering = (is) => { at("enter").hidden = !is; at("overview").hidden = is; at("leave").hidden = is; at("clock").hidden = is; };
const leave = (why) => {
  token = "";
  sessionStorage.removeItem(KEPT);
  answeredAt = null;
  at("accounts").replaceChildren();
  at("state").hidden = true;
  entering(true);
  trouble(why);
};

const look = async (mine) => {
  const began = performance.now();
  try {
    const summary = await ask("/api/summary");
    const names = summary.data.accounts.map((each) => each.account);
    const answers = await Promise.all(names.map((name) => ask("/api/account?account=" + encodeURIComponent(name))));
    const known = await ask("/api/market-regime/known");
    if (mine !== round) return;
    entering(false);
    overview(summary); accounts(names, answers); regimes(known);
    answeredAt = new Date();
    at("clock").textContent = "as of " + time(answeredAt.toISOString());
    trouble("");
    if (performance.now() - deploymentsAt > DEPLOYMENTS_EVERY_MS || !deployments) {
      deployments = await ask("/api/deployments");
      deploymentsAt = performance.now();
      if (mine === round) deployed(deployments);
    }
  } catch (error) {
    if (mine !== round) return;
    if (error.status === 401) return leave("This token opens nothing: it was revoked, has ended, or is misspelt.");
    entering(!answeredAt && error.status === 403);
    trouble((error instanceof NotAnswered ? error.message : "The server does not answer") +
      (answeredAt ? "; what is shown is of " + time(answeredAt.toISOString()) : "") + ". This page tries again.");
  }
  // A server that needs long for an answer is asked less often.
  const took = performance.now() - began;
  const pause = Math.max(document.hidden ? 15000 : LOOKS_EVERY_MS, Math.min(5 * took, LONGEST_PAUSE_MS));
  setTimeout(() => { if (mine === round) look(mine); }, pause);
};

at("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  at("token").value = "";
  sessionStorage.setItem(KEPT, token);
  look(++round);
});
at("leave").addEventListener("click", () => { round++; leave(""); });
if (token) look(++round); else entering(true);
