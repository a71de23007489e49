"""Workbooks to be spoilt."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from magellan.regime.workbook.document import as_document, read_document
from magellan.regime.workbook.reading import template_values
from magellan.regime.workbook.report import Checked, check

_TEMPLATE = as_document(template_values())
Spoil = Callable[[Any], object]


def checked(document: Any) -> Checked:
    """The check of a workbook that is written so."""
    return check(read_document(json.dumps(document).encode(), file="regime.json"))


@pytest.fixture
def spoilt() -> Callable[[Spoil], Checked]:
    """`spoilt(lambda w: w.pop("Summary"))`: the check of the template after that was done to it."""

    def check_it(spoil: Spoil) -> Checked:
        document = copy.deepcopy(_TEMPLATE)
        spoil(document)
        return checked(document)

    return check_it
