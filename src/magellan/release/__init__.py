"""Releases: a strategy, its config and the engine that runs it, as one file that says what it is and cannot change."""
