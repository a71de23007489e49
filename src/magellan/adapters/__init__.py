"""The world: one file or folder per outside thing, each behind a port or a value of `trading`."""
