"""Robinhood, by its official Trading MCP: nothing else of it is meant for programs. Needs the extra `robinhood`."""
