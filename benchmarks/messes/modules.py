"""Modules of a trading project as people write them in a hurry, made from a seed: each is about one thing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """What a family of modules is about."""

    stems: tuple[str, ...]  # of file names
    thing: str  # the class that each defines
    verbs: tuple[str, ...]  # its methods
    imports: tuple[str, ...]  # of Python's own library


TRADES: Final = (
    Trade(stems=("order_router", "order_executor", "fill_tracker", "smart_execution"), thing="OrderExecutor",
          verbs=("submit_order", "cancel_order", "record_fill"), imports=("decimal", "uuid")),
    Trade(stems=("price_feed", "candle_loader", "tick_downloader", "historical_data_fetcher"), thing="DataLoader",
          verbs=("load_candles", "clean_rows", "save_csv"), imports=("csv", "gzip")),
    Trade(stems=("momentum_strategy", "pairs_strategy", "breakout_strategy", "mean_reversion"), thing="Strategy",
          verbs=("generate_signal", "should_enter", "should_exit"), imports=("statistics",)),
    Trade(stems=("iron_condor", "options_greeks", "wheel_options", "volatility_surface"), thing="OptionPricer",
          verbs=("price_option", "implied_volatility", "delta"), imports=("math",)),
    Trade(stems=("lstm_predictor", "feature_trainer", "model_ensemble", "reinforcement_agent"), thing="Model",
          verbs=("fit", "predict", "score_features"), imports=("random", "pickle")),
    Trade(stems=("risk_manager", "position_limits", "drawdown_guard", "var_calculator"), thing="RiskManager",
          verbs=("check_limits", "exposure", "value_at_risk"), imports=("math",)),
    Trade(stems=("backtest_engine", "backtester", "walk_forward_backtest", "monte_carlo_backtest"), thing="Backtest",
          verbs=("run_backtest", "equity_curve", "sharpe_ratio"), imports=("statistics", "datetime")),
    Trade(stems=("live_dashboard", "alert_monitor", "health_monitor", "metrics_logger"), thing="Monitor",
          verbs=("record_metric", "send_alert", "render_dashboard"), imports=("logging", "time")),
    Trade(stems=("trading_bot", "arbitrage_bot", "options_bot", "scalping_bot"), thing="TradingBot",
          verbs=("start_bot", "run_loop", "stop_bot"), imports=("threading", "time")),
    Trade(stems=("alpaca_client", "broker_gateway", "telegram_webhook", "exchange_adapter"), thing="BrokerClient",
          verbs=("connect", "get_account", "post_request"), imports=("json", "urllib.parse")),
    Trade(stems=("date_utils", "string_helpers", "retry_utils", "math_helpers"), thing="Helper",
          verbs=("parse_date", "clamp", "retry"), imports=("datetime", "functools")),
    Trade(stems=("market_constants", "base_types", "settings_core", "errors_core"), thing="Settings",
          verbs=("as_dict", "validate", "default"), imports=("enum", "dataclasses")),
)  # fmt: skip

MARKS: Final = (
    "",
    "_v2",
    "_final",
    "_enhanced",
    "_fixed",
    "_new",
    "_complete",
    "_old",
    "_production",
    "_test_version",
)


def names(count: int, chance: random.Random) -> list[tuple[str, Trade]]:
    """So many different module names, each with what it is about."""
    found: dict[str, Trade] = {}
    while len(found) < count:
        trade = chance.choice(TRADES)
        stem = chance.choice(trade.stems) + chance.choice(MARKS)
        found.setdefault(stem if stem not in found else f"{stem}_{chance.randint(2, 99)}", trade)
    return list(found.items())


def source(
    name: str, trade: Trade, met: Sequence[tuple[str, Trade]], chance: random.Random, *, head: str = ""
) -> str:
    """A module's text.

    met:  modules that it imports, as they are to be named.
    head: statements above everything else.
    """
    lines = [f'"""{name.rpartition(".")[2].replace("_", " ").capitalize()}: {", ".join(trade.verbs)}."""', ""]
    lines += [f"import {each}" for each in trade.imports]
    lines += [head] if head else []
    for number, (other, about) in enumerate(met):
        if number % 3 == 2:
            lines.append(f"import {other}")
        else:
            lines.append(f"from {other} import {about.thing} as {about.thing}{number}")
    lines += ["", f"LIMIT = {chance.randint(1, 500)}", "", "", f"class {trade.thing}:"]
    lines.append(f'    """Made for {name.rpartition(".")[2]}."""')
    for verb in trade.verbs:
        lines += [
            "",
            f"    def {verb}(self, values=(), limit=LIMIT):",
            f"        # {chance.choice(('checked by hand', 'see the notes', 'works on the server', 'do not touch'))}",
            f"        kept = [each for each in values if each < limit * {chance.randint(1, 9)}]",
            f"        return sum(kept) + {chance.randint(0, 9999)}",
        ]
    lines += ["", "", f"def make_{trade.thing.lower()}():", f"    return {trade.thing}()"]
    if chance.random() < 0.3:
        lines += ["", "", 'if __name__ == "__main__":', f"    print(make_{trade.thing.lower()}())"]
    return "\n".join(lines) + "\n"
