"""A strategy's week on a local exchange, through the real runner, with and without kills; and what must be equal then.

`magellan exchange` and `magellan run` are processes of their own, the wire is a socket, the ledger is SQLite. A runner
is killed with SIGKILL at seeded instants: some time into its start, at an instant of the exchange's time, or right
after the exchange has taken an order from it. As a script: `PYTHONPATH=tests python -m lab.live.archived_week --help`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from lab.live.warm_runner import WarmRunner, import_everything
from magellan.archive.dataset import find_set
from magellan.backtest import records
from magellan.ledger.book import Book
from magellan.ledger.chain import Sound
from magellan.ledger.entries import AnswerIs, CancelIntended, OrderIntended, ReplaceIntended, SessionBegan
from magellan.trading.bar import instant, nanoseconds
from magellan.trading.purpose import OrderPurpose
from magellan.trading.session import exchange_midnight
from magellan.trading.timeframe import Timeframe
from magellan.usecases.backtest import Changes, backtest, changed
from magellan.usecases.load_strategy import load_strategy
from magellan.wiring.market import bar_archive, calendar_of, corporate_actions
from magellan.wiring.records import ledger
from magellan.workspace.config import DataTerms
from magellan.workspace.workspace import Workspace, WorkspaceSettings

KEYS = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
NUMBER = "PA820552647"  # of the account that this key opens at an exchange of seed 0
STANDS_STILL_S = 120.0  # wall time in which exchange time does not move: something is wrong
START_UP_S = 0.8  # of wall time; a kill in the start falls within it
LOOKS_S = 0.01  # of wall time, between looks at exchange time: a week of hours takes two seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What is traded, and when. settings: of the strategy's config.json, by section."""

    strategy: str
    symbols: tuple[str, ...]
    first_on: date
    last_on: date
    parameters: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    history_days: int | None = (
        None  # that features read before the week, in a backtest too; None: each its own
    )
    reconcile_every_s: float = 60.0

    @property
    def history_from(self) -> date:
        """The first date of which features read bars."""
        return self.first_on - timedelta(days=self.history_days or 0)


@dataclass(frozen=True, slots=True, order=True)
class Fill:
    """Units that changed hands on one bar for one reason, at one price."""

    bar_at: datetime
    symbol: str
    reason: str
    units: Decimal  # signed
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a week ended."""

    fills: list[Fill]
    executions: list[tuple[Any, ...]]  # symbol, side, quantity, price, instant: to the millisecond
    trades: list[tuple[Any, ...]]
    intents: list[str]  # client_order_ids, sorted
    never_sent: list[str]  # intended, and killed before they were on the wire
    faults: list[str]  # what does not agree within this run; empty
    kills: Counter[str]
    starts: int
    wall_s: float


def sample_workspace(folder: Path) -> Path:
    """A workspace with generated bars and the reference strategies."""
    _magellan("init", str(folder), cwd=folder.parent)
    return folder


def run_week(sample: Path, folder: Path, week: Week, *, kills: Kills | None = None) -> Outcome:
    """Trade the week once, in a workspace of its own."""
    furnish(sample, folder, week)
    began_s = time.monotonic()
    with exchange(folder, week) as address:
        _name_account(folder, address, week)
        counted, starts = _trade(folder, week, address, kills)
        return _outcome(folder, week, address, counted, starts, time.monotonic() - began_s)


def backtest_week(folder: Path, week: Week) -> list[Fill]:
    """The fills of the backtest over the same bars, on the same terms."""
    workspace = Workspace.at(folder)
    loaded = load_strategy(workspace.strategy(f"prod/{week.strategy}"))
    if week.history_days is not None:
        # Live, bars before the week are history. Features read them, and the last one is decided on before the opening.
        bars_before = history_bars(workspace, week, loaded.config.data)
        loaded = changed(loaded, Changes(settings={"data.warmup_bars": bars_before - 1}))
    result = backtest(
        loaded,
        archive=bar_archive(workspace),
        actions=corporate_actions(workspace),
        calendar_of=calendar_of,
        from_on=week.history_from,
        to_on=week.last_on,
    )
    found = []
    for each in result.fills:
        if each["units"] == 0:
            continue
        symbol = result.market.symbols[int(each["symbol"])]
        found.append(
            Fill(
                instant(int(result.market.opened_at_ns[int(each["row"])])),
                symbol,
                records.REASONS[int(each["reason"])],
                Decimal(repr(float(each["units"]))),
                Decimal(f"{float(each['price']):.6f}"),
            )
        )
    return merged(found)


def disagreements(first: Outcome, second: Outcome) -> list[str]:
    """How two runs of one week differ: in executions, trades or intents, or within themselves; empty: not at all."""
    found = [f"in the first: {each}" for each in first.faults]
    found += [f"in the second: {each}" for each in second.faults]
    for name in ("executions", "trades", "intents"):
        found += [f"{name}, {each}" for each in differences(getattr(first, name), getattr(second, name))]
    return found


def history_bars(workspace: Workspace, week: Week, terms: DataTerms) -> int:
    """Bars of each symbol from where history begins to where the week does."""
    archive, calendar = bar_archive(workspace), calendar_of(terms.calendar)
    timeframe = Timeframe.parse(terms.timeframe)
    counts = set()
    for symbol in week.symbols:
        held = archive.read(
            find_set(archive.sets(), symbol, timeframe).id,
            _midnight(week.history_from, timeframe),
            _midnight(week.first_on, timeframe),
        )
        counts.add(int(calendar.regular(held).sum()) if len(held) else 0)
    assert len(counts) == 1, f"symbols begin with {counts} bars, and a backtest counts one warm-up for all"
    return counts.pop()


def _midnight(on: date, timeframe: Timeframe) -> datetime:
    return datetime.combine(on, datetime.min.time(), UTC) if timeframe.is_daily else exchange_midnight(on)


def differences(theirs: list[Any], ours: list[Any]) -> list[str]:
    """What one list has and the other lacks, in words."""
    left, right = Counter(theirs), Counter(ours)
    return [f"only in the first: {each}" for each in sorted((left - right).elements(), key=repr)] + [
        f"only in the second: {each}" for each in sorted((right - left).elements(), key=repr)
    ]


def merged(fills: list[Fill]) -> list[Fill]:
    """Fills of one bar, symbol, reason and price as one."""
    units: dict[tuple[Any, ...], Decimal] = {}
    for fill in fills:
        key = (fill.bar_at, fill.symbol, fill.reason, round(fill.price, 2))
        units[key] = units.get(key, Decimal(0)) + fill.units
    return sorted(
        Fill(at, symbol, reason, total, price) for (at, symbol, reason, price), total in units.items()
    )


# --- Workspace and processes ----------------------------------------------------------------------------------


def furnish(sample: Path, folder: Path, week: Week) -> None:
    """A workspace that shares the sample's bars, with the strategy on the week's terms in prod."""
    strategy = folder / "prod" / week.strategy
    strategy.mkdir(parents=True)
    (folder / "data").symlink_to(sample / "data")
    for file in (sample / "prod" / week.strategy).iterdir():
        if file.is_file():
            (strategy / file.name).write_bytes(file.read_bytes())
    config = json.loads((strategy / "config.json").read_text())
    config["symbols"] = list(week.symbols)
    config["parameters"] |= week.parameters
    config["limits"] |= week.limits
    if week.history_days is not None:
        config["data"]["history_days"] = week.history_days + 1
    config["symbol_parameters"] = {
        symbol: each for symbol, each in config.get("symbol_parameters", {}).items() if symbol in week.symbols
    }
    config["instruments"] = {symbol: {"tick_size": 0.01} for symbol in week.symbols}
    # A broker books commission at the end of the day, a backtest with each fill: sizes by equity would differ.
    config["execution"] |= {"commission_bps": 0.0}
    # A limit that is judged at the price of the decision live, and at that of the fill in a backtest, is not reached.
    config["risk"] = {
        "position_fraction_max": 1.0,
        "gross_exposure_fraction_max": 1.0,
        "account_age_s_max": 2 * week.reconcile_every_s,
        "reconciliation_age_s_max": 5 * week.reconcile_every_s,
    }
    (strategy / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "magellan.toml").write_text("format = 1\n")
    secrets = folder / ".env"
    secrets.touch(mode=0o600)
    secrets.write_text("ALPACA_API_KEY=k\nALPACA_API_SECRET=s\n")


def _name_account(folder: Path, address: str, week: Week) -> None:
    (folder / "magellan.toml").write_text(
        f'format = 1\n[accounts.local]\nkind = "local"\nnumber = "{NUMBER}"\naddress = "{address}"\n'
        f'data = {{ feed = "sip" }}\nreconcile_every_s = {week.reconcile_every_s}\n'
        '[stages.prod]\naccount = "local"\n'
    )


@contextmanager
def exchange(folder: Path, week: Week) -> Iterator[str]:
    """A stepped exchange that serves the week; yields its address."""
    process = _process(
        "exchange", "--port", "0", "--json", "--archive", "--symbols", ",".join(week.symbols),
        "--from", str(week.first_on), "--to", str(week.last_on), "--clock", "stepped",
        "--terms-of", f"prod/{week.strategy}", cwd=folder, log="exchange",
    )  # fmt: skip
    try:
        yield _told(process, folder / "exchange.log")["addresses"]["trading"]
    finally:
        process.terminate()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def _told(process: subprocess.Popen[str], log: Path) -> dict[str, Any]:
    """The JSON document that a process prints once it is ready."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        with suppress(ValueError):
            return dict(json.loads(text))
    raise AssertionError(f"the exchange did not begin: {text} {log.read_text()}")


def _process(*arguments: str, cwd: Path, log: str) -> subprocess.Popen[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ALPACA", "APCA", "MAGELLAN"))
    }
    with open(cwd / f"{log}.log", "a") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "magellan", *arguments],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


def _magellan(*arguments: str, cwd: Path) -> None:
    subprocess.run([sys.executable, "-m", "magellan", *arguments], cwd=cwd, check=True, capture_output=True)


# --- Kills ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Kills:
    """When a runner is killed. Seeded; every start draws anew.

    every_minutes: of exchange time, on average, between a start and a kill by exchange time.
    after_orders:  on average so many orders are taken before a kill by orders.
    """

    seed: int
    every_minutes: float
    after_orders: float = 2.0
    most: int = 1000


def _trade(folder: Path, week: Week, address: str, kills: Kills | None) -> tuple[Counter[str], int]:
    """Start the runner, again and again, until one ends by itself; returns kills by kind, and starts."""
    chance = random.Random(None if kills is None else f"{week.strategy} {kills.seed}")
    counted: Counter[str] = Counter()
    starts = 0
    import_everything()
    with requests.Session() as http:
        watched = _Watched(http, address, folder)
        while True:
            runner = WarmRunner(folder, "run", f"prod/{week.strategy}", "--json", "--no-watchdog")
            starts += 1
            try:
                if kills is not None and counted.total() < kills.most:
                    kind = _kill_in_time(runner, watched, kills, chance)
                    if kind is not None:
                        counted[kind] += 1
                        continue
                else:
                    _wait(runner, watched)
            finally:
                runner.kill()
            assert runner.returncode == 0, runner.said
            return counted, starts


@dataclass(slots=True)
class _Watched:
    """The exchange's time and the changes it was asked for, and the ledger's intents, as they are seen from outside."""

    http: requests.Session
    address: str
    folder: Path
    line: int = 0
    sent: Counter[str] = field(
        default_factory=Counter
    )  # orders and replacements by name, cancels by the order's id

    def now(self) -> datetime:
        clock = self.http.get(f"{self.address}/_magellan/clock", timeout=30).json()
        return datetime.fromisoformat(clock["now"])

    def orders_taken(self) -> int:
        """Changes that were asked for at the exchange since the last look."""
        text = self.http.get(f"{self.address}/_magellan/events", params={"since": self.line}, timeout=30).text
        lines = [json.loads(line) for line in text.splitlines()]
        self.line = lines[-1]["n"] if lines else self.line
        changes = [line for line in lines if line["what"] == "request" and line["method"] != "GET"]
        for each in changes:
            body = each["body"] or {}
            self.sent[body.get("client_order_id") or each["path"].rsplit("/", 1)[-1]] += 1
        return len(changes)

    def has_all_intents(self) -> bool:
        """Whether the exchange was asked for all that the next session would find intended by this one."""
        self.orders_taken()
        kinds = ("session_began", "order_intended", "replace_intended", "cancel_intended")
        entries = self._entries_after_a_kill(kinds)
        newest = entries[-1].session if entries else None
        asked = {_sent_as(each.payload) for each in entries if each.session == newest}
        return asked - {""} <= self.sent.keys()

    def _entries_after_a_kill(self, kinds: tuple[str, ...]) -> list[Any]:
        """What the next session finds in the ledger if the one that is held dies now.

        Read from a copy: in the file itself a commit that was held on its way to the disk is not seen, and is there
        once the file is opened anew.
        """
        with tempfile.TemporaryDirectory(dir=self.folder) as copy:
            then = Workspace(root=Path(copy), settings=WorkspaceSettings())
            then.state_folder.mkdir()
            for suffix in ("", "-wal", "-journal"):
                with suppress(FileNotFoundError):
                    name = f"ledger.sqlite{suffix}"
                    shutil.copyfile(self.folder / ".magellan" / name, then.state_folder / name)
            records_ = ledger(then, {})
            try:
                (account,) = records_.accounts() or (None,)
                return [] if account is None else list(records_.entries(account, kinds=kinds))
            finally:
                records_.close()


def _sent_as(payload: Any) -> str:
    """How a request's line in the exchange's log names an intent; "" for what is none."""
    match payload:
        case SessionBegan():
            return ""
        case OrderIntended(request=request):
            return request.client_order_id
        case CancelIntended(broker_order_id=number):
            return number
    return str(payload.client_order_id)


def _kill_in_time(runner: WarmRunner, watched: _Watched, kills: Kills, chance: random.Random) -> str | None:
    """Kill the runner when its time has come; None when it ended before."""
    kind = chance.choices(("start", "time", "order"), weights=(2, 5, 3))[0]
    grace_s = chance.uniform(0.0, 0.12)
    match kind:
        case "start":
            ended = runner.ended(chance.uniform(0.05, START_UP_S))
        case "time":
            until = watched.now() + timedelta(minutes=chance.expovariate(1 / kills.every_minutes))
            ended = _wait(runner, watched, until=until) or runner.ended(grace_s)
        case _:
            watched.orders_taken()
            until = watched.now() + timedelta(minutes=6 * kills.every_minutes)
            orders = 1 + int(chance.expovariate(1 / kills.after_orders))
            ended = _wait(runner, watched, until=until, orders=orders) or runner.ended(grace_s / 4)
    if ended:
        return None
    # What was intended and is not on the wire yet nobody can tell from what was lost there: a kill just then costs the
    # order, on purpose (docs/guides/live.md). So the runner is held, looked at, and let go on for a moment if need be.
    while runner.pause():
        if watched.has_all_intents():
            runner.kill()
            return kind
        runner.go_on()
        if runner.ended(chance.uniform(0.001, 0.01)):
            return None
    return None


def _wait(
    runner: WarmRunner,
    watched: _Watched,
    *,
    until: datetime | None = None,
    orders: int | None = None,
) -> bool:
    """Until exchange time has come that far, or so many orders were taken; True when the runner ended before."""
    taken, seen, moved_s = 0, None, time.monotonic()
    while not runner.ended(0.02 if orders is not None else 0.1 if until is None else LOOKS_S):
        now = watched.now()
        if now != seen:
            seen, moved_s = now, time.monotonic()
        assert time.monotonic() - moved_s < STANDS_STILL_S, f"exchange time stands at {now}"
        if until is not None and now >= until:
            return False
        if orders is not None:
            taken += watched.orders_taken()
            if taken >= orders:
                return False
    return True


# --- What became of it ----------------------------------------------------------------------------------------


def _outcome(
    folder: Path, week: Week, address: str, kills: Counter[str], starts: int, wall_s: float
) -> Outcome:
    records_ = ledger(Workspace.at(folder), {})
    try:
        (account,) = records_.accounts()
        entries = list(records_.entries(account))
        chain = records_.verify(account)
    finally:
        records_.close()
    book = Book.of(account, entries)
    there = _Exchange(address)
    faults = (
        []
        if isinstance(chain, Sound) and chain.head.number == len(entries)
        else [f"the chain breaks: {chain}"]
    )
    faults += _disagreements(book, entries, there)
    span = Timeframe.parse(
        json.loads((folder / "prod" / week.strategy / "config.json").read_text())["data"]["timeframe"]
    )
    return Outcome(
        fills=merged([_fill(book, each, span) for each in book.executions.values()]),
        executions=sorted(
            (each.at, each.symbol, str(each.side), each.quantity, each.price) for each in book.executions.values()
        ),
        trades=[
            (each.symbol, each.action, each.quantity, each.timestamp, each.exit_timestamp, each.price,
             each.exit_price, each.exit_reasoning, each.order_id, each.profit_loss)
            for each in book.closed_trades
        ],
        intents=sorted(name for name, order in book.orders.items() if order.intended_at is not None),
        never_sent=sorted(name for name, order in book.orders.items() if order.answer is AnswerIs.ABSENT)
        + _cancels_never_sent(entries, there),
        faults=faults,
        kills=kills,
        starts=starts,
        wall_s=wall_s,
    )  # fmt: skip


class _Exchange:
    """What the exchange itself has on record for the account."""

    def __init__(self, address: str) -> None:
        def pages(path: str, key: str, **query: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            while True:
                page = requests.get(f"{address}/v2/{path}", headers=KEYS, params=query, timeout=30).json()
                new = [each for each in page if each["id"] not in {known["id"] for known in found}]
                found += new
                if not new:
                    return found
                query = {**query, key: page[-1]["id" if key == "page_token" else "submitted_at"]}

        self.executions = pages("account/activities/FILL", "page_token", direction="asc", page_size="100")
        self.orders = pages("orders", "after", status="all", direction="asc", limit="500", nested="true")
        self.positions = requests.get(f"{address}/v2/positions", headers=KEYS, timeout=30).json()
        lines = requests.get(f"{address}/_magellan/events", timeout=60).text.splitlines()
        log = [json.loads(line) for line in lines]
        self.cancelled = Counter(  # by the order's id
            line["path"].rsplit("/", 1)[-1]
            for line in log
            if line["what"] == "request" and line["method"] == "DELETE" and "orders" in line["path"]
        )
        self.posted = Counter(
            line["body"]["client_order_id"]
            for line in log
            if line["what"] == "request" and line["method"] in ("POST", "PATCH") and "orders" in line["path"]
        )


def _disagreements(book: Book, entries: list[Any], there: _Exchange) -> list[str]:
    """Where ledger and exchange tell different stories; empty when they agree."""
    found = []
    ours = Counter((e.symbol, e.quantity, e.price, e.at) for e in book.executions.values())
    theirs = Counter(
        (e["symbol"], Decimal(e["qty"]), Decimal(e["price"]), datetime.fromisoformat(e["transaction_time"]))
        for e in there.executions
    )
    if ours != theirs:
        found.append(f"executions: ledger only {ours - theirs}, exchange only {theirs - ours}")
    held = {symbol: position.quantity for symbol, position in book.positions.items()}
    shown = {each["symbol"]: Decimal(each["qty"]) for each in there.positions}
    if held != shown:
        found.append(f"positions: ledger {held}, exchange {shown}")
    if book.contradictions:
        found.append(f"contradictions: {book.contradictions}")
    intended = Counter(
        each.payload.request.client_order_id
        if isinstance(each.payload, OrderIntended)
        else each.payload.client_order_id
        for each in entries
        if isinstance(each.payload, OrderIntended | ReplaceIntended)
    )
    found += [f"intended {times} times: {name}" for name, times in intended.items() if times > 1]
    found += [f"sent {times} times: {name}" for name, times in there.posted.items() if times > 1]
    found += [f"sent without an intent: {name}" for name in there.posted if name not in intended]
    known = Counter(each["client_order_id"] for each in there.orders)
    found += [f"{times} orders at the exchange: {name}" for name, times in known.items() if times > 1]
    found += [f"at the exchange without an intent: {name}" for name in known if name not in intended]
    return found


def _cancels_never_sent(entries: list[Any], there: _Exchange) -> list[str]:
    """Cancels that were intended, and killed before they were on the wire: the session asks again, but later."""
    intended = Counter(e.payload.broker_order_id for e in entries if isinstance(e.payload, CancelIntended))
    return sorted(f"cancel of {number}" for number in (intended - there.cancelled).elements())


def _fill(book: Book, execution: Any, span: Timeframe) -> Fill:
    order = book.order_of(execution.broker_order_id)
    assert order is not None and order.purpose is not None, execution
    purpose = order.purpose
    reason = order.reason if purpose is OrderPurpose.EXIT else str(purpose)
    if purpose is OrderPurpose.TARGET:
        reason = f"target {_portion(book, order)}"
    at_ns = nanoseconds(execution.at)
    if span.is_daily:
        bar_at = datetime.combine(execution.at.date(), datetime.min.time(), UTC)
    else:
        bar_at = instant(at_ns // span.span_ns * span.span_ns)
    return Fill(bar_at, execution.symbol, reason, execution.signed_quantity, round(execution.price, 6))


def _portion(book: Book, order: Any) -> int:
    """Which target of its plan an order is: the name of the entry says so, or its own."""
    from magellan.engine.names import parts

    name = order.client_order_id
    while (found := parts(name)) is None or found[1] == "r":
        above = book.orders[name].parent or book.orders[name].replaces
        assert above is not None, f"{name} belongs to no plan"
        name = above
    return found[2]


# --- The weeks ------------------------------------------------------------------------------------------------

WEEKS = {
    # Four sessions, the last of them a half day, after Thanksgiving.
    "bear_trap": Week(
        strategy="bear_trap",
        symbols=("LIMPET", "TURBOT", "URCHIN"),
        first_on=date(2025, 11, 24),
        last_on=date(2025, 11, 28),
        parameters={"risk_fraction": 0.002},
        limits={"position_usd_max": 90_000.0},
    ),
    "hourly_swing": Week(
        strategy="hourly_swing",
        symbols=("HARBOR", "VOYAGE"),
        first_on=date(2025, 11, 24),
        last_on=date(2025, 11, 28),
        history_days=180,
        reconcile_every_s=1800.0,
    ),
    # A trend is held for weeks.
    "daily_trend": Week(
        strategy="daily_trend",
        symbols=("ANCHOR", "GALLEY", "HARBOR"),
        first_on=date(2025, 10, 13),
        last_on=date(2025, 10, 28),
        history_days=1000,
        limits={"position_usd_max": 50_000.0},
        reconcile_every_s=3600.0,
    ),
}


def main() -> int:
    """Show a week: undisturbed, with kills, and as a backtest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("strategy", choices=tuple(WEEKS))
    parser.add_argument("--every-minutes", type=float, default=10.0, help="of exchange time, between kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=Path, help="a workspace made by `magellan init`; default: a new one")
    parser.add_argument("--keep", type=Path, help="where the workspaces of the runs are left")
    parser.add_argument("--first-on", type=date.fromisoformat)
    parser.add_argument("--last-on", type=date.fromisoformat)
    parser.add_argument("--no-kills", action="store_true")
    asked = parser.parse_args()
    week = WEEKS[asked.strategy]
    week = replace(week, first_on=asked.first_on or week.first_on, last_on=asked.last_on or week.last_on)
    with ExitStack() as stack:
        folder = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        sample = asked.sample or sample_workspace(folder / "sample")
        quiet = run_week(sample, folder / "undisturbed", week)
        expected = backtest_week(folder / "undisturbed", week)
        found = [f"backtest and undisturbed: {each}" for each in differences(expected, quiet.fills)]
        found += [] if not asked.no_kills else quiet.faults
        print(
            f"undisturbed: {len(quiet.trades)} trades, {len(quiet.executions)} executions, {quiet.wall_s:.0f} s"
        )
        if not asked.no_kills:
            killed = run_week(
                sample,
                folder / "killed",
                week,
                kills=Kills(seed=asked.seed, every_minutes=asked.every_minutes),
            )
            found += [f"undisturbed and killed: {each}" for each in disagreements(quiet, killed)]
            print(
                f"killed {killed.kills.total()} times {dict(killed.kills)}: {len(killed.trades)} trades, "
                f"{len(killed.executions)} executions, {killed.wall_s:.0f} s; never sent: {killed.never_sent}"
            )
        print(f"fills of the backtest: {len(expected)}; differences: {len(found)}")
        print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
