"""Alpaca's accounts, as they are read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from magellan.adapters.alpaca.trading_json import Unreadable, account_of

AT = datetime(2026, 3, 2, 15, tzinfo=UTC)


@pytest.mark.parametrize("told", [{}, {"account_number": None}, {"account_number": ""}])
def test_an_account_without_its_number_is_unreadable_and_not_another_account(told: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match=r"Alpaca told an account that cannot be read: .*account_number"):
        account_of({"status": "ACTIVE", "cash": "5"} | told, AT)
    assert account_of({"status": "ACTIVE", "account_number": "PA1"}, AT).account_id == "PA1"
