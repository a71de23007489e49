"""Before and after a migration compared: what resolved still resolves, what worked still works."""
