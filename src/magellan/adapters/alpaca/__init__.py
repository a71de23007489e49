"""Alpaca, through its client library alpaca-py (an optional extra, imported inside)."""
