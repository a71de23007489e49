"""Evidence for the gates, one kind per file; `magellan.usecases.gate_strategy` gathers all of it."""
