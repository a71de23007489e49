"""A second copy of the ledger that follows within a second: encrypted, in a file here, on another machine or in S3."""
