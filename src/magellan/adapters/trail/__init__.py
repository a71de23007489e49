"""A second copy of the ledger that follows within a second: encrypted, in a file here or on another machine."""
