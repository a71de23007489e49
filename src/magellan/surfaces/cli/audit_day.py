"""`magellan audit day`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.audit_options import AccountOption, opened_ledger
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from magellan.ledger.daily_summary import DailySummary


def audit_day(
    on: Annotated[
        datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="A date on the exchange's clock.")
    ],
    account: AccountOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sum up what an account did on one date, from its entries alone."""
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.ledger_queries import day, the_account

    with opened_ledger(workspace) as ledger:
        summary = day(ledger, the_account(ledger, account), on.date())
    document = {
        **{name: getattr(summary, name) for name in summary.__slots__},
        "net_usd": summary.result.net_usd,
    }
    emit(document, as_json=as_json, human=lambda: _show(summary))


def _show(summary: DailySummary) -> None:
    from magellan.surfaces.cli.audit_trades import performance_line
    from magellan.surfaces.cli.output import say

    say(f"{summary.account} on {summary.on}")
    if summary.head is None or not summary.sessions:
        say("  nothing was recorded on that date")
        return
    say(
        f"  net {summary.result.net_usd:+,.2f} USD: realised {summary.result.realised_usd:+,.2f},"
        f" commission {summary.result.commission_usd:,.2f}, other {summary.result.other_usd:+,.2f}"
    )
    say(f"  trades: {performance_line(summary.trades)}")
    if summary.equity_first_usd is not None:
        say(
            f"  equity when a session began or the day opened: {summary.equity_first_usd:,.2f} USD first,"
            f" {summary.equity_last_usd:,.2f} last"
        )
    say(f"  decisions: {_counts(summary.decisions)}")
    say(
        f"  orders: {summary.intents} intended, {summary.refused} refused by the broker,"
        f" {summary.changes_refused} cancels or replacements refused, {summary.unknown} answers lost,"
        f" {summary.executions} executions told"
    )
    say(f"  denied by our limits: {_counts(summary.denied)}")
    if summary.not_entered:
        say(f"  decided and not entered: {_counts(summary.not_entered)}")
    say(
        f"  held at the end: {', '.join(f'{each} {held:f}' for each, held in summary.positions.items()) or 'nothing'}"
    )
    if summary.unresolved_intents:
        say(f"  UNRESOLVED: {', '.join(summary.unresolved_intents)}")
    for line in summary.safety:
        say(f"  {line}")
    if summary.failures:
        say(f"  exceptions: {summary.failures}")
    say(f"  head {summary.head}")


def _counts(counts: object) -> str:
    assert isinstance(counts, dict), "counts are by name"
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
