"""Magellan takes trading strategies from a pile of scripts to supervised live trading.

Start at docs/architecture.md. The version below is the only place that states it.
"""

__version__ = "0.1.0"
