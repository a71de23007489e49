"""Backtest: archived bars replayed through a strategy, its orders filled by a stated model, and what came of it."""
