"""One file of routes per area."""
