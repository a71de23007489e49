"""The audit log of changes: who changed what, when, where, why, on which evidence, and what came of it."""
