"""Bars in Parquet: the workspace's own archive, and the foreign files that are imported into it."""
