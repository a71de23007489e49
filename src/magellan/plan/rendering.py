"""A plan as people and programs read it: text for a terminal, a Markdown checklist, JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from magellan.plan.status import PhaseStatus, PlanStatus, StepStatus


def as_text(status: PlanStatus) -> str:
    """A line per step, below a line per phase."""
    lines = [f"{status.name}: {status.word}"]
    lines += [f"  {line}" for line in _circumstances(status)]
    width = max((len(step.word) for phase in status.phases for step in phase.steps), default=0)
    for phase in status.phases:
        lines += ["", f"{phase.name}  {_counts(phase)}"]
        lines += [f"  {step.number:>4}  {step.word:<{width}}  {_line(step)}" for step in phase.steps]
    return "\n".join(lines) + "\n"


def as_checklist(status: PlanStatus) -> str:
    """Markdown, with a box per step that is ticked when nothing is left to do."""
    lines = [f"# {_one_line(status.name)}", "", f"Status: **{status.word}**"]
    for line in _circumstances(status):
        lines += ["", line]
    for phase in status.phases:
        lines += ["", f"## {_one_line(phase.name)} ({_counts(phase)})", ""]
        lines += [
            f"- [{'x' if step.is_settled else ' '}] {step.number}. {_line(step)} ({step.word})"
            for step in phase.steps
        ]
    return "\n".join(lines) + "\n"


def as_json(status: PlanStatus) -> dict[str, Any]:
    """Everything, for `--json`."""
    return {
        "name": status.name,
        "subject": status.subject,
        "status": status.word,
        "why": status.why,
        "by": status.by,
        "begun_at": _iso(status.begun_at),
        "last_at": _iso(status.last_at),
        "next_step": status.next_step,
        "phases": [
            {
                "name": phase.name,
                "settled": phase.settled,
                "left": phase.left,
                "took_s": round(phase.took_s, 6),
                "steps": [
                    {
                        "number": step.number,
                        "title": step.title,
                        "status": step.word,
                        "is_settled": step.is_settled,
                        "note": step.note,
                        "took_s": step.took_s,
                    }
                    for step in phase.steps
                ],
            }
            for phase in status.phases
        ],
    }


def _circumstances(status: PlanStatus) -> Iterator[str]:
    if status.begun_at is not None and status.last_at is not None:
        until = f"last heard of {status.last_at:%Y-%m-%d %H:%M:%S} UTC"
        yield f"begun {status.begun_at:%Y-%m-%d %H:%M:%S} UTC, {until}, by {_one_line(status.by)}"
    if status.why:
        yield f"why: {_one_line(status.why)}"
    if status.next_step:
        yield f"next: {status.next_step}"


def _counts(phase: PhaseStatus) -> str:
    took = f", {_duration(phase.took_s)}" if any(step.took_s is not None for step in phase.steps) else ""
    return f"{phase.settled} of {len(phase.steps)}{took}"


def _line(step: StepStatus) -> str:
    took = "" if step.took_s is None else f", {_duration(step.took_s)}"
    note = f": {_one_line(step.note)}" if step.note else ""
    return f"{_one_line(step.title)}{took}{note}"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"


def _one_line(text: str) -> str:
    """What came from outside, such as a file's name, cannot draw lines or boxes of its own."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
