"""What went wrong in systems like this one has a test that names its number, as "incident 17"."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# The ones that the parts built so far can cause. A number is added with the part that could cause it.
COVERED = (
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 25,
    26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46,
)  # fmt: skip
# Of bringing a strategy to live money: whoever looks for one of them looks for its number among the tests' names.
SHIPPING = (7, 8, 14, 15, 16, 17, 18, 23, 29, 30, 31, 34, 42, 43, 44)


@pytest.mark.parametrize("number", SHIPPING)
def test_an_incident_of_shipping_stands_in_the_name_of_a_test(number: int) -> None:
    pattern = re.compile(rf"^def test_\w*incident_{number}(?!\d)", re.MULTILINE)
    tests = (ROOT / "tests").rglob("test_*.py")
    assert any(pattern.search(path.read_text()) for path in tests), f"no test's name has incident {number}"


@pytest.mark.parametrize("number", COVERED)
def test_an_incident_that_we_could_cause_has_a_test(number: int) -> None:
    tests = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "workspace").glob("*/*/tests/test_*.py")]
    pattern = re.compile(rf"incident[_ ]{number}(?!\d)", re.IGNORECASE)
    named = [path for path in tests if path != Path(__file__) and pattern.search(path.read_text())]
    assert named, f"no test names incident {number}"
