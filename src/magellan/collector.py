"""Python's collector of circular garbage, kept still while many objects are made that hold no circles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Without looking for circular garbage among syntax trees, entries of a ledger or cells of a workbook.

    They are hundreds of thousands of objects that stay until all is done, and each look goes through all of them:
    a fifth of scanning a repository, a tenth of checking a large workbook, half as long as folding a long ledger.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
