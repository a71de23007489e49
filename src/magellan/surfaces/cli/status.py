"""`magellan status`."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from magellan.surfaces.cli.operate_options import AccountOption, Desk, opened_desk, watch_terms
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from magellan.usecases.session_status import BrokerLook, SessionStatus

_AGAIN_S = 2.0
_NO_DATA = "no data"


def status(
    account: AccountOption = None,
    broker: Annotated[
        bool, typer.Option("--broker", help="Ask the broker too: positions and prices as it tells them.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again; Ctrl-C ends it.")] = False,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Show an account: its session, positions, orders, today's profit, breakers and health, each with source and age.

    It only reads, and works while a session runs. What nobody has told is shown as "no data", and never made up.
    """
    if watch and as_json:
        raise typer.BadParameter("--watch is for people, and --json for programs: choose one")
    with opened_desk(workspace, account) as desk:
        while True:
            found = _status(desk, ask_broker=broker)
            if watch and sys.stdout.isatty():
                sys.stdout.write("\033[H\033[2J")
            _show(found, as_json=as_json)
            if not watch:
                return
            time.sleep(_AGAIN_S)


def _status(desk: Desk, *, ask_broker: bool) -> SessionStatus:
    from magellan.usecases.session_status import session_status
    from magellan.usecases.watch_session import findings, seen_now
    from magellan.wiring.market import session_calendar
    from magellan.wiring.sessions import control_folder, heartbeat_file

    account = desk.account
    beats = heartbeat_file(desk.workspace, account.ledger)
    seen = seen_now(account.ledger, desk.ledger, beats.newest(), datetime.now(UTC))
    silent: dict[Any, str] = {}
    if seen.session is not None:
        terms, reconcile_every_s = watch_terms(account)
        calendar = session_calendar(desk.workspace, seen.session.began)
        silent = findings(seen, terms, calendar, reconcile_every_s=reconcile_every_s)
    look = asyncio.run(_look(desk)) if ask_broker else None
    asked = control_folder(desk.workspace, account.ledger).waiting()
    return session_status(account, desk.ledger, seen, silent=silent.values(), look=look, asked=asked)


async def _look(desk: Desk) -> BrokerLook | str:
    from magellan.usecases.session_status import look_at
    from magellan.wiring.sessions import account_broker

    if desk.account.terms is None:
        return "this account has no broker"
    opened = account_broker(
        desk.account.terms, desk.keys(), workspace=desk.workspace, ledger=desk.ledger, answer_s=5.0
    )
    try:
        return await look_at(opened)
    finally:
        await opened.close()


def _show(found: SessionStatus, *, as_json: bool) -> None:
    from magellan.surfaces.cli.output import emit

    emit(_document(found), as_json=as_json, human=lambda: _print(found))


def _document(found: SessionStatus) -> dict[str, Any]:
    from magellan.surfaces.cli.output import jsonable

    return {each.name: jsonable(getattr(found, each.name)) for each in fields(found)}


def _print(found: SessionStatus) -> None:
    from magellan.surfaces.cli.output import print_table, say

    kind = f" ({found.kind})" if found.kind else ""
    say(f"{found.name or found.account}{kind}, {found.account}, {found.asked_at:%Y-%m-%d %H:%M:%S} UTC")
    for line in (*_session_lines(found), *_safety_lines(found), *_money_lines(found)):
        say(f"  {line}")
    if found.positions:
        print_table(
            ("symbol", "units", "average", "price", "open USD", "price from", "age", "units from"),
            [
                (
                    each.symbol, f"{each.quantity:f}", _money(each.average_price), _money(each.price),
                    _signed(each.open_usd), each.price_source or _NO_DATA, _age(each.price_age_s), each.source,
                )
                for each in found.positions
            ],
            title="positions",
            numbers=("units", "average", "price", "open USD", "age"),
        )  # fmt: skip
    else:
        say(f"  positions: none ({'broker' if found.broker == 'told' else 'ledger'})")
    if found.orders:
        print_table(
            ("order", "symbol", "side", "type", "units", "filled", "limit", "stop", "state", "for"),
            [
                (
                    each.client_order_id, each.symbol, each.side, each.type, each.quantity,
                    each.filled_quantity, each.limit_price, each.stop_price, each.status,
                    each.purpose or _NO_DATA,
                )
                for each in found.orders
            ],
            title="open orders",
            numbers=("units", "filled", "limit", "stop"),
        )  # fmt: skip
    else:
        say("  open orders: none")
    if found.unresolved:
        say(f"  UNRESOLVED orders: {', '.join(found.unresolved)}")
    for line in _health_lines(found):
        say(f"  {line}")
    if found.decisions:
        print_table(
            ("bar closed", "symbol", "decided", "price", "because"),
            [
                (
                    f"{each.bar_closed_at:%m-%d %H:%M}Z",
                    each.symbol,
                    each.action,
                    each.price,
                    each.reasoning or None,
                )
                for each in found.decisions
            ],
            title="last decisions",
            numbers=("price",),
        )
    if found.trades:
        print_table(
            ("entered", "symbol", "action", "units", "price", "outcome", "profit USD", "left because"),
            [
                (
                    f"{each.timestamp:%m-%d %H:%M}Z", each.symbol, each.action, f"{each.quantity:f}",
                    _money(each.price), each.outcome, _signed(each.profit_loss), each.exit_reasoning,
                )
                for each in found.trades
            ],
            title="last trades",
            numbers=("units", "price", "profit USD"),
        )  # fmt: skip


def _session_lines(found: SessionStatus) -> list[str]:
    from magellan.usecases.session_status import Running

    session = found.session
    lines = []
    match found.running:
        case Running.RUNNING | Running.STARTING:
            lines.append(f"session: {found.running}, {found.holder}")
        case Running.GONE:
            why = f": {found.broken_by}" if found.broken_by else ""
            lines.append(f"session: GONE without an end{why}; its next start goes on where the ledger stands")
        case _:
            lines.append(f"session: {found.running}")
    if session is None:
        lines.append("nothing has been traded here yet: `magellan run STRATEGY`")
        return lines
    began = session.began
    ended = "" if session.ended_at is None else f", ended {session.ended_at:%Y-%m-%d %H:%M:%S} UTC"
    lines.append(
        f"{began.stage}/{began.strategy}, {began.mode}, session {session.session}, began "
        f"{session.began_at:%Y-%m-%d %H:%M:%S} UTC{ended}"
    )
    lines.append(
        f"release {began.release_id or 'none'}, config {began.config_hash[:12]}, Magellan {began.magellan_version}, "
        f"bars {began.bar_source} {began.timeframe} of {', '.join(began.symbols)}"
    )
    if found.session_at != found.asked_at:
        lines.append(f"the session's clock says {found.session_at:%Y-%m-%d %H:%M:%S} UTC")
    return lines


def _safety_lines(found: SessionStatus) -> list[str]:
    halt = found.halt
    by = (
        ""
        if halt is None
        else f", since {halt.halted_at:%Y-%m-%d %H:%M:%S} UTC, by {halt.person or halt.source}: {halt.reason}"
    )
    lines = [f"entries: {found.entries}{by}"]
    lines += [f"NOT ACTED ON YET: {each.asks}, asked by {each.person}: {each.reason}" for each in found.asked]
    lines += [
        f"TRIPPED: {each.breaker}, since {each.tripped_at:%Y-%m-%d %H:%M:%S} UTC: {each.reason}"
        for each in found.breakers
    ]
    if not found.breakers:
        lines.append("breakers: none tripped")
    lines.append(f"compared with the broker: {found.reconciled or _NO_DATA}")
    lines += [f"DIFFERS: {each}" for each in found.differences]
    return lines


def _money_lines(found: SessionStatus) -> list[str]:
    today, money = found.today, found.money
    lines = [
        f"{today.on}: net {_signed(today.net_usd)} USD (realised {_signed(today.realised_usd)}, commission "
        f"{today.commission_usd:,.2f}, other {_signed(today.other_usd)}); open {_signed(today.open_usd)} USD"
    ]
    if money is None:
        lines.append(f"account: {_NO_DATA}")
    else:
        lines.append(
            f"account: equity {_money(money.equity_usd)}, cash {_money(money.cash_usd)}, buying power "
            f"{_money(money.buying_power_usd)} USD ({money.source}, {_age(money.age_s)} ago)"
        )
    if found.broker not in ("told", "not asked"):
        lines.append(f"the broker does not tell: {found.broker}")
    return lines


def _health_lines(found: SessionStatus) -> list[str]:
    health = found.health
    up = {True: "up", False: "DOWN", None: _NO_DATA}
    lines = [
        f"health: heartbeat {_age(health.beat_age_s)}, last bar {_age(health.bar_age_s)} (received "
        f"{_age(health.bar_received_age_s)}), broker {_age(health.broker_answer_age_s)}, order event "
        f"{_age(health.order_event_age_s)}, compared {_age(health.reconciliation_age_s)}",
        f"  bars {up[health.feed_up]}, order stream {up[health.orders_up]}, exceptions "
        f"{_count(health.exceptions)}, failures {health.failures}, backlog {_count(health.backlog)}, answers awaited "
        f"{_count(health.answers_awaited)}",
    ]
    if health.lease_lapsed:
        lines.append(f"NOTHING IS ENTERED: the host's lease has lapsed: {health.lease_lapsed}")
    lines += [f"SILENT: {each}" for each in health.silent]
    return lines


def _count(value: int | None) -> str:
    return _NO_DATA if value is None else str(value)


def _age(age_s: float | None) -> str:
    if age_s is None:
        return _NO_DATA
    if age_s < 120:
        return f"{age_s:.1f} s"
    if age_s < 7200:
        return f"{age_s / 60:.0f} min"
    return f"{age_s / 3600:.0f} h" if age_s < 48 * 3600 else f"{age_s / 86400:.0f} days"


def _money(value: Decimal | None) -> str:
    return _NO_DATA if value is None else f"{value:,.2f}"


def _signed(value: Decimal | None) -> str:
    return _NO_DATA if value is None else f"{value:+,.2f}"
