"""What Docker and Podman answer, each in its own words. Real ones: tests/lab/compose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from magellan.adapters.compose.engine import ContainerEngine
from magellan.errors import AskOperator


def engine_that_says(words: str, folder: Path) -> ContainerEngine:
    program = folder / "engine"
    program.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 125\n")
    program.chmod(0o755)
    return ContainerEngine(str(program), {"PATH": os.environ["PATH"]})


@pytest.mark.parametrize(
    "words",
    [
        "Error: No such image: magellan/moods:1f3a",  # Docker
        "Error: inspecting object: magellan/moods:1f3a: image not known",  # Podman
    ],
)
def test_an_image_that_is_not_there_is_no_failure(words: str, tmp_path: Path) -> None:
    assert engine_that_says(words, tmp_path).image("magellan/moods:1f3a") is None


def test_an_engine_that_fails_otherwise_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(AskOperator, match="no space left on device"):
        engine_that_says("Error: no space left on device", tmp_path).image("magellan/moods:1f3a")
