"""Hand an account over again and again between two instances, with kills, and look whether two ever held it at once.

    python benchmarks/hand_overs.py --count 10000
    python benchmarks/hand_overs.py --count 1000 --seed 7 --kept FILE   a slice; what all in FILE come to

Two processes stand by exactly as a deployed release does (`usecases/stand_by.py`, the armed file, the ledger's lock);
only the session itself is left out: in its place each sends once a millisecond, which is to note the instant where it
outlives a kill. One hand-over in twenty is disturbed: the one that trades is killed with SIGKILL and started again, the
new one is killed just after it was armed, or the arming is taken back at once.

Printed: how often one began to send before the last thing that the other sent (which must be 0), and how long nobody
held the account where nobody was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ACCOUNT = "alpaca-paper-BENCH"
KEYS = ("test-bench-aaaaaaaaaaaa", "test-bench-bbbbbbbbbbbb")
RELEASES = ("a" * 64, "b" * 64)
DISTURBED = 0.05
SENDS_EVERY_S = 0.001


def main() -> int:
    """Run the campaign, or be one of its two processes; 1 where two held the account at once."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--count", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--kept", type=Path, metavar="FILE", help="where slices are kept, a line each")
    arguments.add_argument("--child", nargs=2, metavar=("FOLDER", "NUMBER"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        asyncio.run(be_one(Path(given.child[0]), int(given.child[1])))
        return 0
    with tempfile.TemporaryDirectory(prefix="magellan-hand-overs-") as folder:
        slices = [campaign(Path(folder), given.count, random.Random(given.seed))]
    if given.kept is not None:
        with open(given.kept, "a") as kept:
            kept.write(json.dumps(slices[0]) + "\n")
        slices = [json.loads(line) for line in given.kept.read_text().splitlines()]
    found = together(slices)
    print(json.dumps(found))
    return 0 if found["instants_with_two_senders"] == 0 else 1


def together(slices: list[dict[str, Any]]) -> dict[str, Any]:
    """What all of them come to."""
    gaps = sorted(gap for each in slices for gap in each["gaps_us"])
    names = ("hand_overs", "kills", "armings_taken_back", "instants_with_two_senders")
    return {
        **{name: sum(each[name] for each in slices) for name in names},
        "gap_ms_p50": gaps[len(gaps) // 2] / 1e3,
        "gap_ms_p99": gaps[int(len(gaps) * 0.99)] / 1e3,
        "gap_ms_max": gaps[-1] / 1e3,
        "gaps": len(gaps),
    }


async def be_one(folder: Path, number: int) -> None:
    """Stand by, and write down when the account is ours."""
    from magellan.adapters.local.host import HostFolder
    from magellan.adapters.sql_ledger import SqlLedger
    from magellan.adapters.sqlite_ledger import SqliteDatabase
    from magellan.deploy.instance import Condition, InstanceReport
    from magellan.engine.commands import Stop
    from magellan.ledger.known_secrets import KnownSecrets
    from magellan.usecases.stand_by import StandBy

    host = HostFolder(folder)
    ledger = SqlLedger(
        SqliteDatabase(folder / "ledger.sqlite"), clock=lambda: datetime.now(UTC), secrets=KnownSecrets(())
    )
    lines = os.open(folder / f"senders-{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(what: str) -> None:
        os.write(lines, f"{time.monotonic_ns()} {what} {os.getpid()}\n".encode())

    tell("start")

    async def trade(requests: Any, heartbeat: Any) -> Stop:
        with ledger.writer(ACCOUNT):
            tell("begin")
            try:
                with sending(folder / f"sent-{os.getpid()}"):
                    async for request in requests.requests():
                        requests.acknowledge(request)
                        return Stop(reason=request.reason, flat=False, in_order=True)
                raise AssertionError("somebody asks it to stop")
            finally:
                tell("end")

    class Nobody:
        async def requests(self) -> Any:
            await asyncio.Event().wait()
            yield

        def acknowledge(self, request: Any) -> None: ...

    class NoHeart:
        def beat(self, beat: Any) -> None: ...

    report = InstanceReport(
        condition=Condition.LOADING,
        why="",
        at=datetime.now(UTC),
        pid=os.getpid(),
        release_id=RELEASES[number],
        code_sha256="",
        config_sha256="",
        engine_version="",
        engine_path="",
        broker_answered_at=None,
    )
    await StandBy(
        key=KEYS[number],
        report=report,
        armed=lambda: host.armed(ACCOUNT),
        trade=trade,
        operator=Nobody(),
        heartbeat=NoHeart(),
        write=lambda told: None,
        now=lambda: datetime.now(UTC),
    ).run()


@contextmanager
def sending(path: Path) -> Iterator[None]:
    """Write the instant into that file again and again, where it stays when this process is killed."""
    over = threading.Event()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.truncate(descriptor, 8)
    with open(descriptor, "r+b") as file, mmap.mmap(file.fileno(), 8) as shared:

        def send() -> None:
            while not over.is_set():
                struct.pack_into("=q", shared, 0, time.monotonic_ns())
                time.sleep(SENDS_EVERY_S)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield
        finally:
            over.set()
            sender.join()


def campaign(folder: Path, count: int, chance: random.Random) -> dict[str, Any]:
    """Hand over `count` times, and judge what the two wrote down."""
    from magellan.adapters.local.host import HostFolder

    host = HostFolder(folder)
    children = [start(folder, number) for number in (0, 1)]
    kills = taken_back = 0
    try:
        for turn in range(count):
            number = turn % 2
            arm(host, number)
            disturbance = chance.random()
            if disturbance < DISTURBED * 0.4:  # whoever holds it dies
                kill(children, 1 - number, folder)
                kills += 1
            elif disturbance < DISTURBED * 0.7:  # the new one dies on its way
                time.sleep(chance.random() * 0.03)
                kill(children, number, folder)
                kills += 1
            elif disturbance < DISTURBED:
                time.sleep(chance.random() * 0.03)
                arm(host, 1 - number)
                arm(host, number)
                taken_back += 1
            await_sender(folder, number)
    finally:
        for child in children:
            child.kill()
            child.wait()
    gaps, doubles = judged(folder)
    return {
        "hand_overs": count,
        "kills": kills,
        "armings_taken_back": taken_back,
        "instants_with_two_senders": doubles,
        "gaps_us": [gap // 1000 for gap in gaps],
    }


def start(folder: Path, number: int) -> subprocess.Popen[bytes]:
    """One of the two processes."""
    return subprocess.Popen([sys.executable, __file__, "--child", str(folder), str(number)])


def kill(children: list[subprocess.Popen[bytes]], number: int, folder: Path) -> None:
    """Kill one as a power cut would, and start it again."""
    children[number].send_signal(signal.SIGKILL)
    children[number].wait()
    # What a dead process could not write down: when it sent last. It was alive in that instant, and held the account.
    sent = folder / f"sent-{children[number].pid}"
    last_ns = int.from_bytes(sent.read_bytes(), sys.byteorder) if sent.exists() else 0
    with open(folder / f"senders-{number}", "a") as lines:
        lines.write(f"{last_ns} killed {children[number].pid}\n")
    children[number] = start(folder, number)


def arm(host: Any, number: int) -> None:
    """Let that one have the account."""
    found = host.armed(ACCOUNT)
    host.arm(ACCOUNT, KEYS[number], RELEASES[number], epoch=found.epoch, by="bench")


def await_sender(folder: Path, number: int) -> None:
    """Until that one holds the account."""
    path = folder / f"senders-{number}"
    until_s = time.monotonic() + 240
    while not (
        path.exists() and path.read_bytes()[-200:].rstrip().rpartition(b"\n")[2].split()[1:2] == [b"begin"]
    ):
        assert time.monotonic() < until_s, f"instance {number} did not begin"
        time.sleep(0.002)


def judged(folder: Path) -> tuple[list[int], int]:
    """How long nobody held the account between two holders, in ns, and how often two held it at once."""
    held: list[tuple[int, int, bool]] = []  # from, until, whether it ended in order
    starts: list[int] = []
    for number in (0, 1):
        since_ns: int | None = None
        for line in (folder / f"senders-{number}").read_text().splitlines():
            at_ns, what = int(line.split()[0]), line.split()[1]
            if what == "start":
                starts.append(at_ns)
            elif what == "begin":
                since_ns = at_ns
            elif since_ns is not None:
                held.append((since_ns, max(since_ns, at_ns), what == "end"))
                since_ns = None
        if since_ns is not None:
            held.append((since_ns, since_ns, False))  # the newest one, which nobody followed
    held.sort()
    gaps, doubles, left_ns, in_order = [], 0, 0, False
    for begin_ns, end_ns, ended_in_order in held:
        doubles += begin_ns < left_ns
        # Where somebody was killed in between: how long Python takes to start is not asked here.
        if in_order and not any(left_ns < start_ns < begin_ns for start_ns in starts):
            gaps.append(begin_ns - left_ns)
        left_ns, in_order = max(left_ns, end_ns), ended_in_order
    return gaps, doubles


if __name__ == "__main__":
    sys.exit(main())
