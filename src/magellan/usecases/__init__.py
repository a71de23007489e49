"""The verbs, one per file. Every surface calls these."""
