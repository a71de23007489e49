"""Promotion: may this release go from its stage to the next? Evidence goes in, four answers come out; pure.

evidence.py   what is known of a release: gates, accepted run, backtest, and the soak that its sessions were
soak.py       a soak, folded from the ledger's entries: what was watched, traded, and went wrong
chance.py     exact binomial probabilities
criteria.py   the table: which measure is held against which threshold, and for which stage
measures.py   evidence to measured values, each with its sample and band
judgement.py  judge: evidence and criteria to a verdict
approval.py   a verdict that a person takes responsibility for, signed with that person's key
"""
