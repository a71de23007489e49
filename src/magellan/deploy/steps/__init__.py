"""The steps of a roll-out. Each acts on one host of a fleet, knows its way back, and leaves who trades never in doubt.

A release is installed, stands by, is handed the account, and is watched. Until the hand-over the old one trades and
knows nothing; after it the old one stands by, so that the way back is the same one change.
"""
