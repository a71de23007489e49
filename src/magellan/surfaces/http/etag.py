"""Entity tags: whether one of those that a caller names is the one of what there is (RFC 9110, 8.8.3 and 13.1)."""

from __future__ import annotations

import re
from typing import Final

_TAG: Final = re.compile(r'(W/)?("[!\x23-\x7e\x80-\xff]*")')


def etag_matches(given: str, current: str, *, weakly: bool) -> bool:
    """Whether `*` or a list of tags names the current one.

    weakly: as If-None-Match does, where a proxy may have marked a tag as weak; If-Match takes no weak one.
    """
    if given.strip() == "*":
        return True
    return any(tag == current and (weakly or not weak) for weak, tag in _TAG.findall(given))
