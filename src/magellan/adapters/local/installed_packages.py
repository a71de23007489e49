"""Which top-level names can be imported from what is installed beside us."""

from __future__ import annotations

from functools import cache
from importlib.metadata import packages_distributions


def is_installed(top: str) -> bool:
    """Whether a distribution brings a module or package of that name."""
    return top in _installed()


@cache
def _installed() -> frozenset[str]:
    return frozenset(packages_distributions())
