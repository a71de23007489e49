"""Trees on disk for migrations: made, looked at with everything that a roll-back restores, and changed."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from magellan.adapters.local.git_checkout import GitCheckout
from magellan.adapters.local.journal_files import JournalFiles
from magellan.adapters.local.migration_folder import MigrationFolder
from magellan.adapters.local.source_folder import read_source_tree
from magellan.migration.apply_plan import Commits
from magellan.migration.mapping import MappedMove, MigrationMapping
from magellan.migration.rewrite.reference import RewriteOptions
from magellan.plan.actor import Actor
from magellan.ports.executor import Executor
from magellan.usecases.migrate_apply import Desk, Prepared, Wishes, prepare

SHOP = {
    "bot.py": b"from shop.regime import label\n\nSTATE = 0\n\n\ndef run():\n    return label()\n",
    "shop/__init__.py": b"from . import regime\r\n",
    "shop/regime.py": b"def label():\r\n    return 'calm'\r\n",
    "shop/rules.py": "# -*- coding: latin-1 -*-\nimport shop.regime  # wählt\n".encode("latin-1"),
    "notes.md": b"\xef\xbb\xbfSee `shop.regime`.\n",
    "config/bot.toml": b'run = "bot:run"\n',
}
MOVES = {
    "bot.py": "core/bot.py",
    "shop/regime.py": "shop/labels/regime.py",
    "config/bot.toml": "settings/bot.toml",
}

Look = dict[str, tuple[str, int, int, bytes]]


def make_tree(root: Path, files: Mapping[str, bytes] = SHOP) -> None:
    """The files with odd bits and times; an empty folder, a link to what moves, one to itself, a broken one."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    (root / "empty").mkdir()
    (root / "link.py").symlink_to(next(iter(files)))
    (root / "loop").symlink_to("loop")
    (root / "broken").symlink_to("nowhere/at all")
    (root / next(iter(files))).chmod(0o755)
    for number, path in enumerate(sorted(root.rglob("*"), reverse=True)):
        at_ns = 1_000_000_000_123_456_789 + number * 1_000_000_007
        os.utime(path, ns=(at_ns, at_ns), follow_symlinks=False)
    os.utime(root, ns=(1, 999_999_999_999_999_999))


def under_git(root: Path) -> None:
    """Let git know everything, in one commit."""
    for words in (
        ("init", "-q", "-b", "main"),
        ("config", "user.name", "ada"),
        ("config", "user.email", "ada@example.org"),
        # Newer gits tidy up in the background after a commit, while the tree is copied.
        ("config", "gc.auto", "0"),
        ("config", "maintenance.auto", "false"),
        ("add", "-A"),
        ("commit", "-q", "-m", "all"),
    ):
        git(root, *words)


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def look_at(root: Path) -> Look:
    """Everything but what we and git keep: kind, permission bits, time of change, content."""
    found: Look = {}
    for path in (root, *sorted(root.rglob("*"))):
        name = str(path.relative_to(root))
        if name.startswith((".magellan", ".git")):
            continue
        status = path.lstat()
        if path.is_symlink():
            content, kind = os.fsencode(os.readlink(path)), "link"
        elif path.is_dir():
            content, kind = b"", "folder"
        else:
            content, kind = path.read_bytes(), "file"
        found[name] = (kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns, content)
    return found


def without_times(look: Look) -> dict[str, tuple[str, int, bytes]]:
    return {path: (kind, mode, content) for path, (kind, mode, _, content) in look.items()}


def mapping_of(moves: Mapping[str, str], roots: tuple[str, ...] = ("",)) -> MigrationMapping:
    return MigrationMapping(
        version=1,
        source_roots=roots,
        moves=tuple(MappedMove(source=source, target=target) for source, target in moves.items()),
    )


_SECONDS = count()


def desk_at(root: Path) -> Desk:
    """A desk whose clock goes on by a second with every question."""
    migrations = MigrationFolder(root)
    return Desk(
        folder=".",
        checkout=GitCheckout(root),
        migrations=migrations,
        journals=JournalFiles(migrations.journals),
        actor=Actor(person="ada", host="desk", pid=1),
        now=lambda: datetime(2026, 1, 20, tzinfo=UTC) + timedelta(seconds=next(_SECONDS)),
    )


def prepared_at(
    root: Path,
    moves: Mapping[str, str] = MOVES,
    *,
    shims: bool = True,
    commits: Commits = Commits.UNTOUCHED,
    rewriting: RewriteOptions | None = None,
    executor: Executor | None = None,
    roots: tuple[str, ...] = ("",),
) -> Prepared:
    wishes = Wishes(
        rewriting=rewriting or RewriteOptions(),
        shims=shims,
        uses_git=commits is not Commits.UNTOUCHED,
        commits=commits,
        name="mapping",
    )
    tree = read_source_tree(root)
    return prepare(
        tree, mapping_of(moves, roots), wishes, desk_at(root), is_installed=lambda _: False, executor=executor
    )
