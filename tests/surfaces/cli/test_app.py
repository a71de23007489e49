"""The door of the command line: every command behaves alike there."""

import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import magellan as package
from magellan.archive.generated.sample import HOURLY_SYMBOLS, INDEX_SYMBOL, LARGE_CAPS, SMALL_CAPS
from magellan.surfaces.cli.app import called_command, commands, run
from magellan.surfaces.cli.commands import COMMANDS, GROUPS

Call = Callable[..., subprocess.CompletedProcess[str]]

HEAVY = ("numba", "numpy", "polars", "pyarrow", "pandas", "plotly", "exchange_calendars", "scipy", "pydantic")


def run_with_a_command(body: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line with `magellan probe`, a command whose function has this body."""
    return subprocess.run(
        [sys.executable, "-c", program_with_a_command(body), *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def program_with_a_command(body: str) -> str:
    return textwrap.dedent(
        """
        import sys, types
        import typer
        from magellan.errors import *
        from magellan.surfaces.cli import app
        from magellan.surfaces.cli.options import JsonOption
        from magellan.surfaces.cli.output import *

        module = types.ModuleType("magellan.surfaces.cli.probe")
        def probe(path: str = "", as_json: JsonOption = False) -> None:
            "Probe."
        {body}
        module.probe = probe
        sys.modules[module.__name__] = module
        app.COMMANDS["Probe"] = (app.Command(words="probe", help="Probe.", example="magellan probe"),)
        sys.exit(app.run(["probe", *sys.argv[1:]]))
        """
    ).format(body=textwrap.indent(textwrap.dedent(body), " " * 4))


def test_an_example_names_a_timeframe_that_a_fresh_workspace_has_of_that_symbol() -> None:
    of_timeframe = {"1Min": SMALL_CAPS, "1Hour": HOURLY_SYMBOLS, "1Day": (INDEX_SYMBOL, *LARGE_CAPS)}
    made = {symbol for symbols in of_timeframe.values() for symbol in symbols}
    named = 0
    for command in commands():
        before, _, timeframe = command.example.partition(" --timeframe ")
        for symbol in made.intersection(before.split()) if timeframe else ():
            assert symbol in of_timeframe[timeframe.split()[0]], command.example
            named += 1
    assert named


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.words)
def test_every_command_has_help_with_an_example_and_speaks_json(
    command, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run([*command.words.split(), "--help"])
    told = capsys.readouterr()
    assert code == 0, told.err
    text = " ".join(told.out.split())
    assert f"Example: {command.example}" in text
    assert command.example.startswith(f"magellan {command.words}")
    assert "--json" in text


def test_help_names_every_command_and_imports_none_of_them(magellan: Call) -> None:
    program = textwrap.dedent(
        f"""
        import sys
        from magellan.surfaces.cli.app import run
        code = run(["--help"])
        heavy = [name for name in {HEAVY!r} if name in sys.modules]
        ours = [name for name in sys.modules if name.startswith("magellan.") and "surfaces.cli" not in name]
        assert code == 0 and not heavy, heavy
        assert sorted(ours) == ["magellan.errors", "magellan.surfaces"], ours
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for panel in COMMANDS:
        assert panel in done.stdout
    for command in commands():
        assert command.words.split()[0] in done.stdout


def test_a_group_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for word in GROUPS:
        assert run([*word.split(), "--help"]) == 0
        text = capsys.readouterr().out
        for command in commands():
            if command.words.startswith(f"{word} "):
                assert command.words.removeprefix(f"{word} ").split()[0] in text


def test_the_version_is_printed(magellan: Call) -> None:
    done = magellan("--version")
    assert (done.returncode, done.stdout) == (0, f"magellan {package.__version__}\n")


@pytest.mark.parametrize("arguments", [["backtets"], ["data", "nonsense"], ["--nonsense"], ["data"]])
def test_wrong_usage_ends_with_2_and_a_pointer_to_help(arguments: list[str], magellan: Call) -> None:
    done = magellan(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--help" in done.stderr + done.stdout


def test_a_misspelt_command_is_answered_with_the_nearest(magellan: Call) -> None:
    assert "Did you mean 'backtest'?" in magellan("backtets").stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["data", "import", "a.csv"], "data import"),
        (["data", "--help"], ""),
        (["backtest", "data"], "backtest"),
        (["--version"], ""),
        ([], ""),
    ],
)
def test_the_called_command_is_found_without_parsing_its_options(arguments: list[str], words: str) -> None:
    assert called_command(arguments) == words


def test_a_command_that_returns_has_done_its_work(tmp_path: Path) -> None:
    done = run_with_a_command("say('done')", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_foreseen_error_is_told_in_plain_lines_and_ends_with_1(tmp_path: Path) -> None:
    done = run_with_a_command(
        "raise FixInput('row 17: close is -3', kept='the archive is as it was', next_step='correct it')",
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: row 17: close is -3\nkept: the archive is as it was\nnext: correct it\n"


def test_with_json_an_error_is_one_document_on_standard_output(tmp_path: Path) -> None:
    done = run_with_a_command("raise TryAgain('no answer', next_step='wait')", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "error": {"code": "try-again", "message": "no answer", "kept": "", "next_step": "wait"}
    }


def test_a_refusal_that_was_shown_ends_with_1_and_says_no_more(tmp_path: Path) -> None:
    done = run_with_a_command("say('the gate is shut'); raise typer.Exit(1)", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "the gate is shut\n", "")


def test_a_wrong_option_value_that_only_the_command_can_judge_ends_with_2(tmp_path: Path) -> None:
    done = run_with_a_command("raise typer.BadParameter('--set wants key=value, not foo')", cwd=tmp_path)
    assert done.returncode == 2
    assert "--set wants key=value" in done.stderr
    assert "`magellan probe --help`" in done.stderr


def test_a_defect_of_ours_leaves_its_traceback_in_the_workspace_and_not_on_the_screen(tmp_path: Path) -> None:
    (tmp_path / "magellan.toml").touch()
    done = run_with_a_command("1 / 0", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "unexpected ZeroDivisionError: division by zero" in done.stderr
    (crash,) = (tmp_path / ".magellan" / "crash").iterdir()
    assert str(crash) in done.stderr
    assert "ZeroDivisionError" in crash.read_text()
    assert crash.stat().st_mode & 0o077 == 0


def test_a_panic_of_a_compiled_library_is_no_traceback_either(tmp_path: Path) -> None:
    done = run_with_a_command(
        "class Panic(BaseException): pass\nraise Panic('index out of bounds')", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "unexpected Panic: index out of bounds" in done.stderr


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    done = run_with_a_command(
        "import errno\nraise OSError(errno.ENOSPC, 'No space left', 'bars.parquet')", cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: the disk is full: bars.parquet\n")


def test_ctrl_c_ends_with_130_and_says_what_was_kept(tmp_path: Path) -> None:
    body = "say('ready'); sys.stdout.flush()\nimport time\nwhile True: time.sleep(0.01)"
    process = subprocess.Popen(
        [sys.executable, "-c", program_with_a_command(body)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr.startswith("interrupted; kept: ")
    assert "Traceback" not in stderr


def test_an_interrupted_command_that_kept_something_says_so(tmp_path: Path) -> None:
    done = run_with_a_command(
        "raise Interrupted('interrupted', kept='40 of 100 sets', next_step='')", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (130, "interrupted; kept: 40 of 100 sets\n")


@pytest.mark.parametrize(
    ("body", "reader"), [("for n in range(100_000): say(str(n))", "head -n 1"), ("say('0')", "true")]
)
def test_a_reader_that_leaves_early_gets_no_complaint(body: str, reader: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(program_with_a_command(body))
    done = subprocess.run(
        f"{sys.executable} {program} | {reader}",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout in ("0\n", "")
    assert done.stderr == ""
