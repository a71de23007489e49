"""Processes that systemd keeps: their units, and how they are started, seen and stopped."""
