"""Archived bars: what a set is, how sets merge, what is wrong with one, which corporate actions explain it.

Values and pure functions only; files are read and written by adapters behind `ports/bars.py`.
"""
