"""The documents say what the code does: commands, configuration, error codes, links."""

import functools
import importlib.util
import pkgutil
import re
import shlex
from pathlib import Path

import pytest
import typer

import magellan
from magellan.surfaces.cli.app import called_command, commands, function_of
from magellan.surfaces.cli.commands import GROUPS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
CHANGE_KINDS = ("added", "changed", "fixed", "removed", "security")
DECISION_PARTS = ("Context", "Choice", "Price", "What would change our mind")


def shown_command_lines() -> list[tuple[Path, str]]:
    """Every `magellan ...` that a document shows, in a block of code or in a line."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text()
        blocks = re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        lines = [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
        lines += re.findall(r"(?<!`)`(magellan [^`\n]+)`", text)
        for line in lines:
            if match := re.match(r"\s*(?:\$ )?(?:\S*/bin/)?(magellan\b.*)", line):
                found.append((path.relative_to(ROOT), match[1]))
    return found


@pytest.mark.parametrize("guide", ["restructure.md", "restructure-scan.md"])
def test_a_guide_whose_commands_need_an_extra_shows_how_it_is_installed(guide: str) -> None:
    assert "python -m pip install 'magellan-trading[migrate]'" in (ROOT / "docs/guides" / guide).read_text()


@pytest.mark.parametrize("page", ["commands.md", "config.md", "magellan-toml.md", "errors.md", "faults.md"])
def test_the_reference_says_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs/reference" / page).read_text()
    assert written == reference_pages()[page], "run `make reference`"


def test_the_reference_holds_every_command_key_and_error_code() -> None:
    pages = reference_pages()
    assert set(pages) == {path.name for path in (ROOT / "docs/reference").glob("*.md")}
    for command in commands():
        assert f"### `magellan {command.words}`" in pages["commands.md"]
    for key in (
        "strategy.name",
        "execution.slippage_bps",
        "instruments.SYMBOL.tick_size",
        "limits.open_positions_max",
    ):
        assert f"| `{key}` |" in pages["config.md"]
    for code in ("fix-input", "try-again", "ask-operator", "interrupted", "unexpected"):
        assert f"| `{code}` |" in pages["errors.md"]


@functools.cache
def reference_pages() -> dict[str, str]:
    """What `make reference` would write now."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools/reference.py")
    assert spec is not None and spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    pages: dict[str, str] = reference.pages()
    return pages


def test_every_command_line_that_documents_show_can_be_typed() -> None:
    wrong = []
    for path, line in shown_command_lines():
        arguments = shlex.split(line.split(" # ")[0].split(" | ")[0])[1:]
        words = [each for each in arguments if not each.startswith("-")]
        if not words or (len(words) == 1 and words[0] in GROUPS):
            continue
        called = called_command(arguments)
        if not called:
            wrong.append(f"{path}: {line}: no such command")
            continue
        known = {
            each
            for parameter in parameters_of(called)
            for each in (*parameter.opts, *parameter.secondary_opts)
        }
        options = {each.split("=")[0] for each in arguments if each.startswith("-") and each != "--"}
        wrong += [f"{path}: {line}: no option {each}" for each in sorted(options - known - {"--help"})]
    assert wrong == []


def parameters_of(words: str) -> list:
    """What a command takes, as Typer understands its function."""
    (command,) = (each for each in commands() if each.words == words)
    app = typer.Typer(add_completion=False)
    app.command()(function_of(command))
    return typer.main.get_command(app).params


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (anchor and anchor not in anchors_of(path)):
            broken.append(target)
    assert broken == []


def anchors_of(path: Path) -> set[str]:
    """The anchors of a document's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_package_appears_in_the_architecture() -> None:
    architecture = (ROOT / "docs/architecture.md").read_text()
    packages = [module.name for module in pkgutil.iter_modules(magellan.__path__) if module.ispkg]
    assert [name for name in packages if f"{name}/" not in architecture] == []


def test_decisions_are_numbered_once_and_have_all_their_parts() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", page.name) for page in pages), pages
    assert len(set(numbers)) == len(numbers), numbers
    for page in pages:
        missing = [part for part in DECISION_PARTS if f"## {part}" not in page.read_text()]
        assert missing == [], page.name


def test_every_note_of_a_change_says_its_kind() -> None:
    notes = [path for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    wrong = [
        path.name
        for path in notes
        if not re.fullmatch(rf"[a-z0-9-]+\.({'|'.join(CHANGE_KINDS)})\.md", path.name)
        or not path.read_text().strip()
    ]
    assert wrong == []
