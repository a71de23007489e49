"""What may lie in this repository."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BYTES_MAX = 1_000_000

# Written in pieces, so that this file does not contain what it forbids.
FORBIDDEN = {
    "the host of a package registry": [
        "py" + "pi.org",
        "python" + "hosted.org",
        "ana" + "conda.org",
        "artifact" + "registry",
    ],
    "a machine's own path": [
        "/" + "work/main",
        "/" + "work/shared",
        "/" + "tmp/brief",
        "/" + "root/",
        "/" + "home/trader",
    ],
    "a private key": [
        "BEGIN RSA " + "PRIVATE KEY",
        "BEGIN OPENSSH " + "PRIVATE KEY",
        "BEGIN " + "PRIVATE KEY",
    ],
}
SECRETS = {
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "an Alpaca live key": re.compile(r"\bAK[0-9A-Z]{18}\b"),
    "a token of a GitHub account": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
}


def tracked_files() -> list[Path]:
    """Every file that git tracks; skips where this is not a checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def text_of(path: Path) -> str | None:
    """The file's text, or None for a binary file."""
    content = path.read_bytes()
    return None if b"\0" in content[:8000] else content.decode("utf-8")


def test_no_file_is_larger_than_a_megabyte() -> None:
    sizes = {path.relative_to(ROOT): path.stat().st_size for path in tracked_files()}
    assert {path: size for path, size in sizes.items() if size > BYTES_MAX} == {}


def test_every_text_file_is_utf_8_and_ends_with_one_newline() -> None:
    wrong = []
    for path in tracked_files():
        text = text_of(path)
        if (
            text
            and (not text.endswith("\n") or text.endswith("\n\n") or "\r" in text)
            and path.suffix != ".csv"
        ):
            wrong.append(str(path.relative_to(ROOT)))
    assert wrong == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    found = []
    for path in tracked_files():
        text = (text_of(path) or "").lower()
        found += [f"{path.relative_to(ROOT)}: {piece}" for piece in FORBIDDEN[what] if piece.lower() in text]
    assert found == []


@pytest.mark.parametrize("what", SECRETS)
def test_no_file_holds(what: str) -> None:
    found = [
        str(path.relative_to(ROOT)) for path in tracked_files() if SECRETS[what].search(text_of(path) or "")
    ]
    assert found == []


def test_the_version_stands_in_one_place() -> None:
    stated = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if path.suffix in (".py", ".toml")
        and re.search(r'^(__version__|version)\s*=\s*"', text_of(path) or "", re.MULTILINE)
    ]
    assert stated == ["src/magellan/__init__.py"]
