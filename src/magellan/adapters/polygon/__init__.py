"""Polygon.io, today called Massive, through its client library (an optional extra, imported inside)."""
