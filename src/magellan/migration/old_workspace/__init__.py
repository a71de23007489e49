"""Workspaces as they were kept before: where their strategies lie, and what their configs say in our terms."""
