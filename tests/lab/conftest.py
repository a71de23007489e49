"""The lab's files run side by side. Those that take longest begin first, so that none of them is left to run alone."""

from __future__ import annotations

from pathlib import Path

import pytest

LAB = Path(__file__).parent
LONGEST_FIRST = (
    "hosts/test_rollouts_on_real_hosts.py",
    "compose/test_containers.py",
    "exchange/test_clients.py",
    "test_regions_of_aws.py",
    "test_backup_with_restic.py",
    "live/test_kills.py",
    "test_fault_campaigns.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        if not item.path.is_relative_to(LAB):
            return -1
        name = item.path.relative_to(LAB).as_posix()
        return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=place)
