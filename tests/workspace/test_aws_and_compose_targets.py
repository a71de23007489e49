"""Targets of the kinds compose and aws, as magellan.toml names them."""

from pathlib import Path

import pytest

from magellan.errors import FixInput
from magellan.workspace.workspace import Workspace

COMPOSE = f"""
[targets.boxes]
kind = "compose"
base_image = "python@sha256:{"a" * 64}"
"""
AWS = """
[targets.ohio]
kind = "aws"
region = "us-east-2"
account = "123456789012"
instance = "i-0123456789abcdef0"
bucket = "s3://ours/live"
"""


def settings(folder: Path, text: str) -> Workspace:
    (folder / "magellan.toml").write_text(text)
    return Workspace.at(folder)


def test_a_stage_may_be_deployed_to_several_regions(tmp_path: Path) -> None:
    stage = '[stages.prod]\ntargets = ["ohio", "boxes"]\n'
    assert settings(tmp_path, stage + COMPOSE + AWS).settings.stages.prod.targets == ("ohio", "boxes")


def test_a_stage_names_this_machine_once(tmp_path: Path) -> None:
    with pytest.raises(FixInput, match="local and boxes are both this machine"):
        settings(tmp_path, '[stages.prod]\ntargets = ["local", "boxes"]\n' + COMPOSE)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("region", '"ohio"'),
        ("account", '"12345"'),
        ("instance", '"web-1"'),
        ("bucket", '"ours/live"'),
        ("folder", '"/srv/$(id)"'),
        ("python", '"python; id"'),
        ("user", '"root; id"'),
        ("document", '"AWS RunShellScript"'),
        ("deliver_within_s", "5"),
    ],
)
def test_what_would_stand_in_a_script_or_an_arn_is_of_a_closed_form(
    tmp_path: Path, key: str, value: str
) -> None:
    lines = [line for line in AWS.splitlines() if not line.startswith(f"{key} =")]
    with pytest.raises(FixInput, match=key):
        settings(tmp_path, "\n".join([*lines, f"{key} = {value}"]))
