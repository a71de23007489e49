"""Wiring: the only place that picks adapters for a workspace. One module per part; heavy imports happen inside."""
