"""An old workspace in its new layout: where files go, what configs say, what still names an old folder."""

import json
from datetime import date
from pathlib import Path

import pytest

from journeys.desk import run
from magellan.errors import FixInput
from magellan.migration.old_workspace.config_terms import TERMS, new_config
from magellan.migration.source_tree import SourceTree
from magellan.usecases.migrate_workspace import NewLayout, new_layout
from magellan.workspace.config_file import parse_config
from magellan.workspace.workspace import Stage, Workspace

OLD = {
    "account_info": {"account_id": "PA1", "initial_capital": 50000, "margin_multiplier": 2},
    "strategy": {"name": "Bear Trap", "version": "1.0-baseline", "type": "intraday_reversal"},
    "symbols": ["AMC", "ONDS", "AMC"],
    "symbol_parameters": {"AMC": {"stop": 0.1}},
    "data_requirements": {"timeframe": "1Min", "premarket": False, "after_hours": False, "warmup_bars": 20},
    "risk_management": {
        "max_daily_loss_pct": 0.1,
        "max_trades_per_day": 10,
        "emergency_stop_conditions": {"consecutive_losing_days": 3, "drawdown_threshold_pct": 20},
    },
    "execution": {"order_type": "market", "extended_hours": False},
    "made_up": 7,
}
UNIT = (
    b'[Service]\nEnvironment="CONFIG_PATH=/home/bot/shop/deployable_strategies/bear_trap/aws_deployment/config.json"\n'
    b"ExecStart=/home/bot/.venv/bin/python "
    b"/home/bot/shop/deployable_strategies/bear_trap/aws_deployment/run_strategy.py\n"
)
FILES = {
    "deployable_strategies/bear_trap/aws_deployment/config.json": json.dumps(OLD).encode(),
    "deployable_strategies/bear_trap/aws_deployment/bear.service": UNIT,
    "deployable_strategies/bear_trap/aws_deployment/run_strategy.py": (
        b"from deployable_strategies.bear_trap.bear_trap_strategy import BearTrap\n"
        b'open("/home/bot/shop/deployable_strategies/bear_trap/aws_deployment/state.json")\n'
    ),
    "deployable_strategies/bear_trap/bear_trap_strategy.py": b"class BearTrap: ...\n",
    "deployable_strategies/bear_trap/README.md": b"# Bear trap\n",
    "deployable_strategies/gsb/gsb_strategy.py": b"class Gsb: ...\n",
    ".github/workflows/deploy.yml": (
        b"paths: ['deployable_strategies/**']\n"
        b"run: python deployable_strategies/bear_trap/aws_deployment/run_strategy.py\n"
    ),
}


def layout(files: dict[str, bytes], **stages: Stage) -> NewLayout:
    return new_layout(SourceTree.of(files), stages, shims_expire_on=date(2026, 7, 1))


def written(found: NewLayout, path: str) -> str:
    return next(each.after for each in found.changes.written if each.path == path).decode()


def test_what_has_a_unit_goes_to_prod_and_the_rest_to_dev() -> None:
    found = layout(FILES)
    moves = {move.source: move.target for move in found.changes.moves}
    assert moves == {
        "deployable_strategies/bear_trap/README.md": "prod/bear_trap/docs/README.md",
        "deployable_strategies/bear_trap/aws_deployment/bear.service": "prod/bear_trap/deployment/systemd/bear.service",
        "deployable_strategies/bear_trap/aws_deployment/config.json": "prod/bear_trap/deployment/old_config.json",
        "deployable_strategies/bear_trap/aws_deployment/run_strategy.py": "prod/bear_trap/deployment/run_strategy.py",
        "deployable_strategies/bear_trap/bear_trap_strategy.py": "prod/bear_trap/strategy.py",
        "deployable_strategies/gsb/gsb_strategy.py": "dev/gsb/strategy.py",
    }


def test_a_person_says_another_stage() -> None:
    found = layout(FILES, gsb=Stage.TEST)
    assert next(move.target for move in found.changes.moves if "gsb" in move.source) == "test/gsb/strategy.py"
    with pytest.raises(FixInput, match="there is no strategy nobody"):
        layout(FILES, nobody=Stage.TEST)


def test_the_config_is_one_that_our_schema_accepts_and_says_the_same() -> None:
    config = parse_config(written(layout(FILES), "prod/bear_trap/config.json"), name="config.json")
    assert (config.strategy.name, config.strategy.version, config.strategy.kind) == (
        "bear_trap",
        "1.0.0",
        "intraday",
    )
    assert config.symbols == ("AMC", "ONDS")
    assert (config.account.kind, config.account.leverage, config.account.cash_usd) == ("margin", 2.0, 50000)
    assert config.limits.trades_per_day_max == 10
    assert config.risk.breakers.daily_loss_fraction_max == config.limits.loss_per_day_fraction_max == 0.1


def test_every_old_key_is_taken_over_or_listed() -> None:
    found = new_config(OLD, "bear_trap")
    said = {old for old, _ in found.mapped} | {each.key for each in found.unmapped}
    quiet = {
        "data_requirements.premarket",
        "data_requirements.after_hours",
    }  # false: regular hours, as the schema has it
    keys = {
        "account_info.account_id", "account_info.initial_capital", "account_info.margin_multiplier", "strategy.name",
        "strategy.version", "strategy.type", "symbols", "symbol_parameters", "data_requirements.timeframe",
        "data_requirements.warmup_bars", "risk_management.max_daily_loss_pct", "risk_management.max_trades_per_day",
        "risk_management.emergency_stop_conditions.consecutive_losing_days",
        "risk_management.emergency_stop_conditions.drawdown_threshold_pct", "execution.order_type",
        "execution.extended_hours", "made_up", *quiet,
    }  # fmt: skip
    assert said | quiet == keys


def test_twenty_where_a_fraction_belongs_is_asked_about_and_not_guessed() -> None:
    found = new_config(OLD, "bear_trap")
    key = "risk_management.emergency_stop_conditions.drawdown_threshold_pct"
    assert next(each.why for each in found.unmapped if each.key == key).startswith(
        "it could be a fraction or percent"
    )
    assert "drawdown_fraction_max" not in json.dumps(found.document)


def test_every_term_of_the_table_leads_to_a_key_of_the_schema() -> None:
    value_of = {"type": "swing", "timeframe": "1Hour", "symbol": "A", "symbols": ["A"], "version": "1"}
    for key, term in TERMS.items():
        last_word = key.rpartition(".")[2]
        fraction = 0.5 if last_word.endswith(("_pct", "_below")) else 1
        value = value_of.get(last_word, {} if last_word.endswith("parameters") else fraction)
        document = new_config({"symbols": ["A"]}, "a").document
        for place, new in term(value):
            *sections, last = place.split(".")
            at = document
            for section in sections:
                at = at.setdefault(section, {})  # type: ignore[attr-defined]
            at[last] = new  # type: ignore[index]
        parse_config(json.dumps(document), name=key)


def test_units_and_runners_say_the_new_paths_whatever_stands_before_them() -> None:
    found = layout(FILES)
    unit = written(found, "prod/bear_trap/deployment/systemd/bear.service")
    assert "/home/bot/shop/prod/bear_trap/deployment/run_strategy.py" in unit
    assert "CONFIG_PATH=/home/bot/shop/prod/bear_trap/deployment/old_config.json" in unit
    runner = written(found, "prod/bear_trap/deployment/run_strategy.py")
    assert runner == (
        'from prod.bear_trap.strategy import BearTrap\nopen("/home/bot/shop/prod/bear_trap/state.json")\n'
    )


def test_what_still_names_an_old_folder_is_listed_with_its_line() -> None:
    found = layout(FILES)
    assert [(each.path, each.line) for each in found.still] == [(".github/workflows/deploy.yml", 1)]
    assert "prod/bear_trap/deployment/run_strategy.py" in written(found, ".github/workflows/deploy.yml")


BESIDE = "deployable_strategies/bear/aws_deployment/start.py"


@pytest.mark.parametrize(
    ("path", "line", "now"),
    [
        ("deployed/bear/run_strategy.py", 'open("config.json")', "prod/bear/deployment/old_config.json"),
        ("deployed/bear/tools/report.py", 'x = HERE / "config.json"', "prod/bear/deployment/old_config.json"),
        (BESIDE, "from bear_strategy import Bear", "prod/bear/strategy.py"),
        (BESIDE, "    import bear_strategy", "prod/bear/strategy.py"),
        ("deployed/bear/bear.service", "Environment=C=config.json", "prod/bear/deployment/old_config.json"),
        ("go.sh", "cd deployed/bear && python run_strategy.py", "prod/bear/deployment/run_strategy.py"),
        ("go.sh", "cd elsewhere && python run_strategy.py", None),
        ("deployed/bear/run_strategy.py", 'open("deployed/bear/config.json")', None),
        ("deployed/bear/run_strategy.py", 'open("my_config.json"), open("levels.csv")', None),
        (BESIDE, "from bear_strategy_base import Base", None),
    ],
)
def test_a_file_that_is_named_without_its_folder_and_is_called_otherwise_now_is_listed(
    path: str, line: str, now: str | None
) -> None:
    files = {
        "deployed/bear/config.json": b"{}",
        "deployed/bear/run_strategy.py": b"",
        "deployed/bear/bear_strategy.py": b"class Bear: ...\n",
        "deployed/bear/levels.csv": b"",
    }
    found = layout({**files, path: f"# first\n{line}\n".encode()})
    assert [(each.line, each.now) for each in found.bare] == ([] if now is None else [(2, now)])


def test_what_was_copied_to_the_server_counts_and_its_twin_is_kept_beside() -> None:
    deployed = {**OLD, "symbols": ["AMC"]}
    files = {
        **FILES,
        "deployed/trap/config.json": json.dumps(deployed).encode(),
        "deployed/trap/bear.service": UNIT,
    }
    found = layout(files)
    assert [each.old.name for each in found.strategies] == ["gsb", "trap"]  # one unit, one strategy
    assert json.loads(written(found, "prod/trap/config.json"))["symbols"] == ["AMC"]
    twin = "deployable_strategies/bear_trap/aws_deployment/config.json"
    assert next(m.target for m in found.changes.moves if m.source == twin) == f"prod/trap/docs/old/{twin}"


def test_a_path_behind_a_servers_prefix_is_rewritten_once_where_its_new_one_ends_with_the_old() -> None:
    files = {
        **FILES,
        "deployed/trap/config.json": json.dumps(OLD).encode(),
        "deployed/trap/bear.service": UNIT,
        "deployed/trap/x.py": b"",
        "deployable_strategies/bear_trap/x.py": b"# twin\n",
        "run.sh": b"python /home/bot/app/deployable_strategies/bear_trap/x.py\n",
    }
    new = "prod/trap/docs/old/deployable_strategies/bear_trap/x.py"
    assert written(layout(files), "run.sh") == f"python /home/bot/app/{new}\n"


def test_a_document_that_names_an_old_folder_is_listed() -> None:
    found = layout({**FILES, "README.md": b"# Bots\nSee `deployed/nobody/`.\n"})
    assert ("README.md", 2) in [(each.path, each.line) for each in found.still]


@pytest.mark.parametrize("said", [{"symbol": "ES"}, {"symbols": ["ES"]}])
def test_one_symbol_is_a_list_of_one(said: dict[str, object]) -> None:
    assert new_config(said, "gsb").document["symbols"] == ["ES"]


def test_a_folder_without_old_strategies_is_refused() -> None:
    with pytest.raises(FixInput, match="there is no strategy in"):
        layout({"a.py": b""})


def test_the_command_previews_does_and_takes_back(tmp_path: Path) -> None:
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    before = {path: (tmp_path / path).read_bytes() for path in FILES}
    tried = run("migrate", "workspace", str(tmp_path), "--json", cwd=tmp_path)
    assert (tried.returncode, json.loads(tried.stdout)["outcome"]) == (0, "dry run")
    assert not (tmp_path / "prod").exists() and not (tmp_path / "magellan.toml").exists()
    done = run("migrate", "workspace", str(tmp_path), "--yes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "prod/bear_trap/config.json").is_file()
    there = {f"{each.stage}/{each.name}" for each in Workspace.at(tmp_path).strategies()}
    assert "prod/bear_trap" in there
    back = run("migrate", "rollback", str(tmp_path), "--yes", cwd=tmp_path)
    assert back.returncode == 0, back.stderr
    assert {path: (tmp_path / path).read_bytes() for path in FILES} == before
    assert not (tmp_path / "prod").exists() and not (tmp_path / "magellan.toml").exists()


def test_the_settings_of_what_is_a_workspace_already_stay_as_they_are() -> None:
    layout = new_layout(
        SourceTree.of({**FILES, "magellan.toml": b"format = 1\n"}), {}, shims_expire_on=date(2027, 1, 1)
    )
    assert "magellan.toml" not in {each.path for each in layout.changes.written}
