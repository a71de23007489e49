"""The journeys share one furnished workspace."""

from journeys.desk import furnished, workspace

__all__ = ["furnished", "workspace"]
