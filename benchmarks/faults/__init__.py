"""Faults at every step of a roll-out, on hosts with real processes."""
