"""Strategies: the contract between a trader's rules and whatever runs them."""
