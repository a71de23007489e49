"""Yahoo Finance, through yfinance (an optional extra, imported inside)."""
