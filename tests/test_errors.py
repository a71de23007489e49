"""The exception tree."""

import pickle

import pytest

from magellan.errors import AskOperator, FixInput, Interrupted, MagellanError, TryAgain


def test_an_error_says_what_happened_what_was_kept_and_what_to_do() -> None:
    error = FixInput(
        "bars.csv, row 17: close is -3",
        kept="the archive is as it was",
        next_step="correct the row and import the file again",
    )
    assert str(error) == (
        "bars.csv, row 17: close is -3\n"
        "kept: the archive is as it was\n"
        "next: correct the row and import the file again"
    )


def test_an_error_with_nothing_to_add_is_one_line() -> None:
    assert str(TryAgain("Alpaca answered 429")) == "Alpaca answered 429"


def test_an_error_without_a_message_is_a_defect() -> None:
    with pytest.raises(AssertionError):
        FixInput("")


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (FixInput("x"), "fix-input", 1),
        (TryAgain("x"), "try-again", 1),
        (AskOperator("x"), "ask-operator", 1),
        (Interrupted("x"), "interrupted", 130),
    ],
)
def test_every_kind_of_error_has_a_code_and_an_exit_code(
    error: MagellanError, code: str, exit_code: int
) -> None:
    assert (error.code, error.exit_code) == (code, exit_code)


def test_an_error_crosses_from_one_process_to_another_whole() -> None:
    sent = AskOperator("the disk is full", kept="40 of 100 sets", next_step="free some space")
    received = pickle.loads(pickle.dumps(sent))
    assert type(received) is AskOperator
    assert str(received) == str(sent)
