"""Faults on purpose: what can go wrong between a client and Alpaca, planned, seeded and logged.

plan.py        every kind of fault with its parameters, and what triggers it; the schema that is published
plan_file.py   a plan read from JSON, with the place of every mistake
injector.py    which faults fire on an occasion
wire.py        how an HTTP answer or a WebSocket is really broken
happenings.py  faults of the market and of accounts, carried out at their instants
"""
