"""A tree with everything that a tree can have, a plan that changes all of it, and a look that misses nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from magellan.plan.files.delete import Delete
from magellan.plan.files.keep_folder_times import KeepFolderTimes
from magellan.plan.files.make_folder import MakeFolder
from magellan.plan.files.move import Move
from magellan.plan.files.point_link import PointLink
from magellan.plan.files.set_mode import SetMode
from magellan.plan.files.tree import Tree
from magellan.plan.files.write_file import WriteFile
from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.plan.step import Step
from rights import MAY_EVERYTHING

Look = dict[str, tuple[str, int, int, bytes]]
LOCKED = 0o555 if MAY_EVERYTHING else 0o755  # bits of a folder; who is bound by them cannot move what is 555


def make_tree(root: Path) -> None:
    """Files with odd bits, bytes and times; links, also a broken one; empty folders, one of them locked."""
    root.mkdir()
    for folder in ("pack/inner", "pack/empty", "empty", "releases/1", "releases/2", "locked"):
        (root / folder).mkdir(parents=True)
    for name, content, mode in (
        ("a.py", b"import b\r\n", 0o644),
        ("b.py", b"\xef\xbb\xbfprint()\n", 0o755),
        ("data.bin", bytes(range(256)) * 40, 0o600),
        ("empty.txt", b"", 0o640),
        ("pack/inner/c.py", b"\x00\xff", 0o444),
        ("old.cfg", b"[old]\n", 0o660),
        ("releases/1/run", b"one", 0o755),
        ("releases/2/run", b"two", 0o755),
    ):
        (root / name).write_bytes(content)
        (root / name).chmod(mode)
    (root / "current").symlink_to("releases/1")
    (root / "broken").symlink_to("nowhere/at all")
    (root / "pack").chmod(0o711)
    (root / "locked").chmod(LOCKED)
    # Times that no clock of today gives, down to the nanosecond; folders after what lies in them.
    for number, path in enumerate(sorted(root.rglob("*"), reverse=True)):
        at_ns = 1_000_000_000_123_456_789 + number * 1_000_000_007
        os.utime(path, ns=(at_ns, at_ns), follow_symlinks=False)
    os.utime(root, ns=(999, 999_999_999_999_999_999))


def every_kind_of_step() -> Plan[Tree]:
    phases: tuple[Phase[Tree], ...] = (
        Phase(
            name="folders",
            steps=(
                MakeFolder(path=".kept"),
                MakeFolder(path="shop", mode=0o750),
                MakeFolder(path="shop/data"),
            ),
        ),
        Phase(
            name="moves",
            steps=(
                Move(source="a.py", target="shop/a.py"),
                Move(source="data.bin", target="shop/data/data.bin"),
                Move(source="broken", target="shop/broken"),
                Move(source="pack", target="shop/pack"),
                Move(source="empty", target="shop/empty"),
            ),
            batch=True,
        ),
        Phase(
            name="edits",
            steps=(
                WriteFile(path="shop/__init__.py", content=b"", mode=0o600),
                WriteFile(path="b.py", content=b"print(1)\n", mode=0o644, backup=".kept/b.py"),
                Delete(path="old.cfg", backup=".kept/old.cfg"),
                Delete(path="locked", backup=".kept/locked"),
            ),
            batch=True,
        ),
        Phase(
            name="switch",
            steps=(
                PointLink(path="current", target="releases/2"),
                PointLink(path="newest", target="current"),
                SetMode(path="empty.txt", mode=0o400),
            ),
        ),
    )
    return file_plan(*phases)


def file_plan(*phases: Phase[Tree], on_failure: OnFailure = OnFailure.UNDO) -> Plan[Tree]:
    steps: list[Step[Tree]] = [step for phase in phases for step in phase.steps]
    times: Phase[Tree] = Phase(name="times", steps=(KeepFolderTimes.around(steps),))
    return Plan(
        name="restructure the shop",
        subject="shop",
        phases=(times, *phases),
        on_failure=on_failure,
        resume_with="shop --resume",
        undo_with="shop --undo",
    )


def look_at(root: Path) -> Look:
    """Everything below the root, and the root: kind, permission bits, time of change, content."""
    found: Look = {}
    for path in (root, *sorted(root.rglob("*"))):
        status = path.lstat()
        if path.is_symlink():
            content, kind = os.fsencode(os.readlink(path)), "link"
        elif path.is_dir():
            content, kind = b"", "folder"
        else:
            content, kind = path.read_bytes(), "file"
        name = str(path.relative_to(root))
        found[name] = (kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns, content)
    return found


def without_times(look: Look) -> dict[str, tuple[str, int, bytes]]:
    """What two runs of one plan leave alike: their clocks differ."""
    return {name: (kind, mode, content) for name, (kind, mode, _, content) in look.items()}
