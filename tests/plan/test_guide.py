"""The guide's step works as the guide says, and keeps the laws of every step."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from magellan.adapters.local.journal_files import JournalFiles
from magellan.plan.carry_out import Finished, TakenBack, carry_out, take_back
from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.plan.preview import preview
from magellan.plan.rendering import as_text
from magellan.plan.step import Blocked, Done, NotDone
from plan.memory import SOMEBODY

GUIDE = (Path(__file__).parents[2] / "docs/guides/plans.md").read_text()
STEP, PLAN, DRY_RUN, CARRY_OUT, CHECK = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


class Table:
    """Names and addresses, in memory."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.addresses = addresses

    async def address_of(self, name: str) -> str | None:
        return self.addresses.get(name)

    async def set_address(self, name: str, address: str | None) -> None:
        if address is None:
            self.addresses.pop(name, None)
        else:
            self.addresses[name] = address


@pytest.fixture
def guide() -> dict[str, Any]:
    """What the guide defines."""
    defined: dict[str, Any] = {"__name__": "guide", "Plan": Plan, "Phase": Phase, "OnFailure": OnFailure}
    exec(compile(STEP, "plans.md", "exec", dont_inherit=True), defined)
    exec(compile(PLAN, "plans.md", "exec", dont_inherit=True), defined)
    return defined


def test_the_step_of_the_guide_tells_apart_what_the_guide_says(guide: dict[str, Any]) -> None:
    step = guide["PointHost"](name="orders", address="198.51.100.7")
    hosts = Table({"orders": "198.51.100.1"})
    answer = asyncio.run(step.check(hosts, None))
    assert answer == NotDone(before={"address": "198.51.100.1"})
    assert asyncio.run(step.check(hosts, answer.before)) == answer
    asyncio.run(step.do(hosts, answer.before))
    assert asyncio.run(step.check(hosts, answer.before)) == Done()
    asyncio.run(step.undo(hosts, answer.before))
    assert hosts.addresses == {"orders": "198.51.100.1"}
    hosts.addresses["orders"] = "198.51.100.99"
    assert isinstance(asyncio.run(step.check(hosts, answer.before)), Blocked)


def test_the_code_of_the_guide_carries_its_plan_out_and_takes_it_back(
    guide: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = Table({"orders": "198.51.100.1"})
    defined = {
        **guide,
        "hosts": hosts,
        "preview": preview,
        "as_text": as_text,
        "JournalFiles": JournalFiles,
        "carry_out": carry_out,
        "take_back": take_back,
        "workspace": tmp_path,
        "actor": SOMEBODY,
        "now": lambda: datetime.now(UTC),
        "show": lambda progress: None,
    }
    begin, _, undo = CARRY_OUT.split("with journals.")[1:]
    run_in_a_function(DRY_RUN, defined)
    assert "would be done  point orders at 198.51.100.7" in capsys.readouterr().out
    assert isinstance(run_in_a_function(f"{journals()}with journals.{begin}", defined), Finished)
    assert hosts.addresses == {"orders": "198.51.100.7", "bars": "198.51.100.8"}
    (entry,) = JournalFiles(tmp_path / ".magellan/journals").all()
    defined["name"] = entry.name
    assert isinstance(run_in_a_function(f"{journals()}with journals.{undo}", defined), TakenBack)
    assert hosts.addresses == {"orders": "198.51.100.1"}


def journals() -> str:
    return CARRY_OUT.split("\n\n")[0] + "\n"


def run_in_a_function(code: str, defined: dict[str, Any]) -> Any:
    """Run code of the guide that awaits; gives its `outcome`."""
    body = "".join(f"    {line}\n" for line in code.splitlines())
    scope = dict(defined)
    exec(
        compile(f"async def guide():\n    outcome = None\n{body}    return outcome\n", "plans.md", "exec"),
        scope,
    )
    return asyncio.run(scope["guide"]())


def test_the_check_of_the_guide_finds_a_changed_byte(
    guide: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals = JournalFiles(tmp_path)
    with journals.begin(guide["plan"].description, by=SOMEBODY, at=datetime(2026, 1, 20, tzinfo=UTC)):
        pass
    (file,) = tmp_path.glob("*.journal")
    content = file.read_bytes()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.journal").write_bytes(content)
    exec(compile(CHECK, "plans.md", "exec"), {})
    (tmp_path / "some.journal").write_bytes(content.replace(b"orders", b"0rders", 1))
    with pytest.raises(AssertionError):
        exec(compile(CHECK, "plans.md", "exec"), {})
