"""A trade while it runs: sums of its executions, from which its record follows at any time.

A trade begins with the execution that takes a symbol from flat, and ends with the one that makes it flat again. One
execution that turns long into short ends a trade and begins another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from magellan.ledger.changed import changed
from magellan.ledger.entries import SessionBegan, TradeIdea
from magellan.ledger.exact import ZERO, minus, plus, quotient, times
from magellan.ledger.position import rebased
from magellan.ledger.trade_record import Outcome, TradeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One trade, open or just closed. Amounts in USD, exact."""

    trade_id: str
    account: str
    symbol: str
    sign: int  # +1 long, -1 short
    opened_at: datetime
    order_id: str
    strategy: str
    entry_type: str
    idea: TradeIdea | None
    session: str
    began: SessionBegan | None  # of that session; None when it wrote no beginning
    entered: Decimal = ZERO  # units, > 0, on the basis of the newest split
    entry_usd: Decimal = ZERO  # units x price over what was entered
    left: Decimal = ZERO  # units that have left
    exit_usd: Decimal = ZERO
    commission_usd: Decimal = ZERO
    slippage_usd: Decimal | None = ZERO  # None once an entry has no decision's price to compare with
    risk_usd: Decimal | None = ZERO  # None once an entry has no stop
    executions: int = 0
    closed_at: datetime | None = None
    exit_reason: str | None = None

    def entering(
        self, quantity: Decimal, price: Decimal, commission: Decimal, idea: TradeIdea | None
    ) -> Trade:
        """After more units (> 0) were entered at a price, on an order that meant `idea`."""
        return changed(
            self,
            entered=plus(self.entered, quantity),
            entry_usd=plus(self.entry_usd, times(quantity, price)),
            commission_usd=plus(self.commission_usd, commission),
            slippage_usd=_added(
                self.slippage_usd,
                _distance(None if idea is None else idea.decision_price, price, quantity, self.sign),
            ),
            risk_usd=_added(
                self.risk_usd, _distance(None if idea is None else idea.stop_loss, price, quantity, self.sign)
            ),
            executions=self.executions + 1,
        )

    def leaving(self, quantity: Decimal, amount_usd: Decimal, commission: Decimal, reason: str) -> Trade:
        """After units (> 0) left for an amount (> 0)."""
        return changed(
            self,
            left=plus(self.left, quantity),
            exit_usd=plus(self.exit_usd, amount_usd),
            commission_usd=plus(self.commission_usd, commission),
            executions=self.executions + 1,
            exit_reason=reason,
        )

    def split(self, new_shares: int, old_shares: int) -> Trade:
        """Its units on the new basis. Amounts stay as they are."""
        return changed(
            self,
            entered=rebased(self.entered, new_shares, old_shares),
            left=rebased(self.left, new_shares, old_shares),
        )

    def closed(self, at: datetime) -> Trade:
        return changed(self, closed_at=at)

    def record(self) -> TradeRecord:
        """The trade in the fields of the log."""
        idea, began = self.idea, self.began
        gross = net = None
        outcome = Outcome.OPEN
        if self.closed_at is not None:
            gross = times(minus(self.exit_usd, self.entry_usd), Decimal(self.sign))
            net = minus(gross, self.commission_usd)
            outcome = Outcome.WIN if net > 0 else Outcome.LOSS if net < 0 else Outcome.BREAKEVEN
        return TradeRecord(
            timestamp=self.opened_at,
            symbol=self.symbol,
            action="BUY" if self.sign > 0 else "SELL",
            quantity=self.entered,
            price=quotient(self.entry_usd, self.entered),
            total_value=self.entry_usd,
            order_id=self.order_id,
            execution_mode="" if began is None else began.mode.upper(),
            account_id=self.account,
            strategy_name=self.strategy,
            entry_type=self.entry_type,
            stop_loss=None if idea is None else idea.stop_loss,
            target=None if idea is None else idea.target,
            decision_reasoning="" if idea is None else idea.reasoning,
            indicators_used=() if idea is None else idea.indicators_used,
            risk_reward_ratio=None if idea is None else idea.risk_reward_ratio,
            outcome=outcome,
            profit_loss=gross,
            hold_duration_seconds=(
                None if self.closed_at is None else int((self.closed_at - self.opened_at).total_seconds())
            ),
            exit_timestamp=self.closed_at,
            exit_reasoning=None if self.closed_at is None else self.exit_reason,
            slippage=self.slippage_usd,
            commission=self.commission_usd,
            net_profit_loss=net,
            session_id=self.session,
            bot_version="" if began is None else began.magellan_version,
            config_hash="" if began is None else began.config_hash,
            trade_id=self.trade_id,
            run_id="" if began is None else began.run_id,
            release_id=None if began is None else began.release_id,
            data_id=None if began is None else began.data_id,
            exit_price=None if self.left == 0 else quotient(self.exit_usd, self.left),
            exit_quantity=self.left,
            decision_price=None if idea is None else idea.decision_price,
            r_multiple=_r_multiple(net, self.risk_usd),
            executions=self.executions,
        )


def _r_multiple(net: Decimal | None, risk_usd: Decimal | None) -> Decimal | None:
    if (
        net is None or risk_usd is None or risk_usd <= 0
    ):  # a stop on the wrong side risks nothing that can be named
        return None
    return quotient(net, risk_usd, 6)


def _distance(level: Decimal | None, price: Decimal, quantity: Decimal, sign: int) -> Decimal | None:
    """How much worse than the level the price was, over all units. To a stop below a long's entry it is the risk."""
    if level is None:
        return None
    return times(times(minus(price, level), quantity), Decimal(sign))


def _added(sum_so_far: Decimal | None, more: Decimal | None) -> Decimal | None:
    return None if sum_so_far is None or more is None else plus(sum_so_far, more)
