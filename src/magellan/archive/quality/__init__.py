"""Quality: what is wrong with a set of bars, where, how badly, and what to do about it.

finding.py       one thing that was noticed, and the verdict over all of them
report.py        all checks on one set
session_grid.py  which sessions and which bars in them a set should hold
sessions.py      sessions without bars, thin symbols, quiet minutes, bars outside the session
halts.py         runs of missing bars in sessions that are otherwise full
rows.py          phantom days, repeated rows, rows without volume, prices at or below zero
jumps.py         jumps that corporate actions explain, and jumps that nothing explains
prints.py        prints far from the bars around them
pollution.py     rows of another instrument
"""
