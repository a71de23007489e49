"""Notes: what reading a foreign file took for granted, and what in it a person should look at."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Notes:
    """Sentences, gathered while one symbol's bars are read."""

    assumptions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
