"""Tests that check nothing are found, and no others."""

import pytest

from magellan.gate.unchecked_tests import unchecked_tests

UNCHECKED = {
    "importing is no test (incident 15)": "def test_it():\n    import strategy\n",
    "nor is calling": "def test_it():\n    load()\n",
    "nor is asserting a constant": "def test_it():\n    assert True\n",
    "nor a constant with words": "def test_it():\n    assert 1, 'fine'\n",
    "nor an empty test": "def test_it():\n    pass\n",
    "nor a method": "class TestIt:\n    def test_it(self):\n        load()\n",
    "nor a helper that checks nothing": "def helper():\n    load()\ndef test_it():\n    helper()\n",
    "nor helpers in a circle": "def a():\n    b()\ndef b():\n    a()\ndef test_it():\n    a()\n",
}
CHECKED = {
    "an assertion": "def test_it():\n    assert load() == 1\n",
    "an expected error": "import pytest\ndef test_it():\n    with pytest.raises(ValueError):\n        load()\n",
    "NumPy's own": "def test_it():\n    np.testing.assert_allclose(load(), 1)\n",
    "a method of unittest": "class TestIt:\n    def test_it(self):\n        self.assertEqual(load(), 1)\n",
    "a helper of the file": "def helper(x):\n    assert x\ndef test_it():\n    helper(load())\n",
    "a helper's helper": "def a(x):\n    assert x\ndef b(x):\n    a(x)\ndef test_it():\n    b(load())\n",
    "a place not to be reached": "def test_it():\n    if load():\n        assert False, 'loaded'\n",
    "an async test": "async def test_it():\n    assert await load()\n",
    "an inner function": "def test_it():\n    def inner():\n        assert load()\n    inner()\n",
}


@pytest.mark.parametrize("source", UNCHECKED.values(), ids=UNCHECKED)
def test_a_test_that_cannot_fail_is_found(source: str) -> None:
    assert unchecked_tests("test_rules.py", source) == ("test_rules.py: test_it",)


@pytest.mark.parametrize("source", CHECKED.values(), ids=CHECKED)
def test_a_test_that_checks_something_is_not(source: str) -> None:
    assert unchecked_tests("test_rules.py", source) == ()


def test_what_is_no_test_is_passed_over() -> None:
    assert unchecked_tests("test_rules.py", "import strategy\ndef helper():\n    load()\n") == ()


def test_a_file_that_is_no_python_is_an_error() -> None:
    with pytest.raises(SyntaxError):
        unchecked_tests("test_rules.py", "def test_it(:\n")
