"""The runner is tried at the desk of the journeys."""

from journeys.desk import furnished, workspace

__all__ = ["furnished", "workspace"]
