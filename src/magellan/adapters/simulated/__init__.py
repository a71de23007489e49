"""A broker in this process, for simulated trading days: seeded, synchronous, with faults; no socket and no clock."""
