"""The gates: evidence goes in, open or shut comes out, with reasons and how sure we are.

evidence.py      what was measured, or why it could not be
criteria.py      the table: which measure is held against which threshold, and what it means to miss it
verdict.py       judge: evidence and criteria to a verdict; pure
accepted_run.py  runs that a person accepted, which later runs are compared with
one_bar_late.py  a strategy whose every decision is carried out one bar later
neighbours.py    parameter sets a little beside the strategy's own
junit.py         a verdict as JUnit XML, for CI systems
"""
