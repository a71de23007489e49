"""What must not get into a release (incident 29)."""

import pytest

from magellan.release.secret_scan import leaks

PEM = "-----BEGIN {}PRIVATE " + "KEY-----"  # in two pieces, so that this file holds none itself
KNOWN = {"ALPACA_API_SECRET": "s3cr3tVal/ue+1234567890", "SHORT": "true"}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("KEY = 'PKABCDEFGHIJKLMNOPQR'", "an Alpaca key"),
        ("# live: " + "AK" + "1234567890ABCDEFGH", "an Alpaca key"),
        ("aws = '" + "AKIA" + "IOSFODNN7EXAMPLE'", "an Alpaca key"),  # has the same form
        ("bot = '123456789:AAabcdefghijklmnopqrstuvwxyz0123456'", "Telegram Bot Token"),
        (PEM.format("RSA "), "Private Key"),
        ("url = 'https://ada:hunter2secret@host/'", "Basic Auth Credentials"),
        ("password = 'correct-horse'", "Secret Keyword"),
        ("x = 's3cr3tVal/ue+1234567890'  # pragma: allowlist secret", "the value of ALPACA_API_SECRET"),
    ],
)
def test_a_secret_is_found_by_its_form_or_by_its_value(line: str, what: str) -> None:
    found = leaks({"strategy.py": f"first\n{line}\n".encode()}, KNOWN)
    assert [(each.path, each.line, each.what) for each in found] == [("strategy.py", 2, what)]


@pytest.mark.parametrize(
    "line",
    [
        "true",
        "password = os.environ['PASSWORD']",
        "sha256 = '6f1e7d3d0a4bfa8c0e4b1a5c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4'",
        "symbols = ['BACKBACKBACK', 'PKBK']",
        "KEY = 'PKABCDEFGHIJKLMNOPQR'  # pragma: allowlist secret",
    ],
)
def test_what_is_no_secret_is_let_in(line: str) -> None:
    assert leaks({"strategy.py": line.encode()}, KNOWN) == ()


def test_our_own_secret_is_found_in_a_file_that_is_no_text() -> None:
    content = b"\x00\xff\xfe" + KNOWN["ALPACA_API_SECRET"].encode() + b"\x00"
    assert [each.what for each in leaks({"model.bin": content}, KNOWN)] == ["the value of ALPACA_API_SECRET"]


def test_a_leak_never_repeats_the_secret() -> None:
    found = leaks({"a.py": f"x = '{KNOWN['ALPACA_API_SECRET']}'".encode()}, KNOWN)
    assert KNOWN["ALPACA_API_SECRET"] not in str(found)
