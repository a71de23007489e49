"""Evidence that opens every gate, so that a test can spoil one thing at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from magellan.gate.criteria import CRITERIA
from magellan.gate.evidence import Evidence, Kind, Measure, Measured, Subject
from magellan.gate.verdict import Verdict, judge
from magellan.workspace.gate_criteria import GateCriteria

AT = datetime(2026, 1, 21, 21, 30, tzinfo=UTC)
FILES = "f" * 64

GOOD: dict[Kind, dict[str, Measure]] = {
    Kind.LINT: {"lint_findings": Measured(value=0, sample=2, sample_of="files")},
    Kind.TYPES: {"type_errors": Measured(value=0)},
    Kind.CONFIG: {"config_problems": Measured(value=0)},
    Kind.TESTS: {
        "tests_passed": Measured(value=7),
        "tests_failed": Measured(value=0),
        "tests_errored": Measured(value=0),
        "tests_without_check": Measured(value=0),
    },
    Kind.DATA: {
        "data_sets": Measured(value=2),
        "data_refusals": Measured(value=0),
        "unexplained_jumps": Measured(value=0),
        "generated_sets": Measured(value=0),
    },
    Kind.BACKTEST: {
        "misleading_settings": Measured(value=0),
        "bars_off_timeframe": Measured(value=0),
        "bars_unaccounted": Measured(value=0),
        "sessions_missing": Measured(value=0),
        "undefined_after_warmup": Measured(value=0),
        "entries_in_warmup": Measured(value=0),
        "sessions": Measured(value=1004),
        "trades": Measured(value=163),
        "cost_bps": Measured(value=3.5),
        "sharpe": Measured(value=1.42, low=0.41, high=2.38, level=0.9, sample=1004, sample_of="sessions"),
        "drawdown": Measured(value=0.11, low=0.07, high=0.19, level=0.9),
        "profit_factor": Measured(value=1.8),
        "win_rate": Measured(value=0.44, low=0.38, high=0.5, level=0.9, sample=163, sample_of="trades"),
    },
    Kind.LOOKAHEAD: {
        "lookahead_values": Measured(value=50_000),
        "lookahead_findings": Measured(value=0),
    },
    Kind.ROBUSTNESS: {
        "return_doubled_costs": Measured(value=0.22),
        "return_one_bar_late": Measured(value=0.19),
        "return_without_best_symbol": Measured(value=0.12),
        "neighbours_kept": Measured(value=0.9, sample=10, sample_of="neighbours"),
    },
    Kind.ACCEPTED: {
        "changes_since_accepted": Measured(value=0),
        "sharpe_drop": Measured(value=-0.05),
        "drawdown_rise": Measured(value=0.01),
    },
}


SUBJECT = Subject(
    label="prod/opening_gap",
    version="1.2.0",
    kind="trend",
    files_sha256=FILES,
    code_sha256="c" * 64,
    config_sha256="d" * 64,
)


@dataclass
class Case:
    """A strategy in front of the gates, with evidence that opens them until a test changes it."""

    subject: Subject = SUBJECT
    evidence: dict[Kind, Evidence] = field(
        default_factory=lambda: {
            kind: Evidence(kind=kind, about=FILES, source=f"a fake {kind}", gathered_at=AT, measured=measured)
            for kind, measured in GOOD.items()
        }
    )
    criteria: GateCriteria = field(default_factory=GateCriteria)

    def measure(self, kind: Kind, **changed: Measure | None) -> "Case":
        """The case with other measured values; None takes one away."""
        measured = {**self.evidence[kind].measured, **changed}
        kept = {name: value for name, value in measured.items() if value is not None}
        return self.with_evidence(replace(self.evidence[kind], measured=kept))

    def with_evidence(self, evidence: Evidence) -> "Case":
        return Case(self.subject, {**self.evidence, evidence.kind: evidence}, self.criteria)

    def without(self, kind: Kind) -> "Case":
        left = {each: evidence for each, evidence in self.evidence.items() if each is not kind}
        return Case(self.subject, left, self.criteria)

    def verdict(self) -> Verdict:
        return judge(self.subject, tuple(self.evidence.values()), self.criteria, at=AT)

    def answers(self) -> dict[str, str]:
        """The criteria that are not open, with their answers."""
        return {each.criterion.name: str(each.answer) for each in self.verdict().not_open}


@pytest.fixture
def case() -> Case:
    return Case()


@pytest.fixture
def row() -> Callable[[Verdict, str], object]:
    """`row(verdict, "sharpe_min")`: that criterion's judgement."""

    def find(verdict: Verdict, name: str) -> object:
        assert name in {criterion.name for criterion in CRITERIA}
        (found,) = (each for each in verdict.judgements if each.criterion.name == name)
        return found

    return find
