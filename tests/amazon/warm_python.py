"""A Python that has Magellan loaded already: each call is a process of its own all the same, forked from a waiting one.

`warm_python` writes the interpreter that a target names: a few lines that hand their arguments, their environment and
their three streams over, and end as the forked process does. A call over Systems Manager then takes a tenth of the
time, and a campaign has thousands of them.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from amazon.cloud import target_settings

_TESTS = Path(__file__).parents[1]
_NAME, _ACCOUNT = "warm", "alpaca-local-PA1"  # of a workspace that is thrown away

_CLIENT = """#!{python} -IS
import json, os, socket, sys
door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
door.connect({door!r})
words = sys.argv[sys.argv.index("magellan") + 1:]
told = json.dumps([words, dict(os.environ), os.getcwd()]).encode()
socket.send_fds(door, [len(told).to_bytes(4, "big")], [0, 1, 2])
door.sendall(told)
sys.exit(int(door.recv(8) or b"1"))
"""


@contextmanager
def warm_python(folder: Path) -> Iterator[Path]:
    """The program that stands for Python there, while the block runs."""
    door, program = folder / "door", folder / "python"
    program.write_text(_CLIENT.format(python=Path(sys.executable).resolve(), door=str(door)))
    program.chmod(0o755)
    command = [
        sys.executable,
        "-c",
        "import sys; sys.path.insert(0, sys.argv[2]); from amazon import warm_python",
    ]
    command[-1] += "; warm_python.serve(warm_python.Path(sys.argv[1]))"
    waiting = subprocess.Popen([*command, str(door), str(_TESTS)])
    try:
        until_s = time.monotonic() + 240
        while not door.exists():
            assert time.monotonic() < until_s and waiting.poll() is None, "it does not come up"
            time.sleep(0.05)
        yield program
    finally:
        waiting.terminate()
        waiting.wait()


def serve(door: Path) -> None:
    """Fork for each call."""
    import botocore.session  # noqa: F401  # loaded here, for every call
    import supervisor.xmlrpc  # noqa: F401

    import magellan.adapters.aws.transfer  # noqa: F401

    _warm_up()
    gc.freeze()  # what is loaded stays shared with every process that is forked
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    beside = door.with_name("door.new")
    listening.bind(str(beside))
    listening.listen(64)
    beside.rename(door)
    while True:
        call, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            if os.fork() == 0:
                _carried_out(call)
            os._exit(0)
        os.wait()  # the one in between; the call itself is a child of nobody
        call.close()


def _warm_up() -> None:
    """Answer each question once, about a workspace that holds nothing: what that loads, no call has to load."""
    from magellan.deploy.host_calls import Question
    from magellan.deploy.single_call import SingleCall
    from magellan.surfaces.cli.app import run

    before = datetime.now(UTC) + timedelta(minutes=5)
    account, release = {"ledger_account": _ACCOUNT}, {"release_id": "0" * 64}
    questions: dict[str, dict[str, Any]] = {
        "instances": {},
        "armed": account,
        "look": {"key": "k"},
        "session": account,
        "installed": release,
    }
    kept = os.dup(1), os.dup(2)
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        root = Path(folder)
        (root / "magellan.toml").write_text(
            target_settings(_NAME, "us-east-2", "i-0123456789abcdef0", root, "/python")
        )
        for number in (1, 2):
            os.dup2(nowhere.fileno(), number)
        for verb, arguments in questions.items():
            call = SingleCall.of(
                Question(number=1, verb=verb, arguments=arguments, content_bytes=0), None, before=before
            )
            words = [word for name, value in call.words().items() for word in (f"--{name}", value)]
            run(["host", "call", _NAME, verb, *words, "--workspace", folder])
        sys.stdout.flush()
        for number, stream in enumerate(kept, 1):
            os.dup2(stream, number)
            os.close(stream)


def _carried_out(call: socket.socket) -> None:
    size, streams, _, _ = socket.recv_fds(call, 4, 3)
    told = b""
    while len(told) < int.from_bytes(size, "big"):
        told += call.recv(65536)
    words, environment, folder = json.loads(told)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # Those that were opened before belong to other files.
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.umask(0o077)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    from magellan.surfaces.cli.app import run

    code = run(words)
    sys.stdout.flush()
    sys.stderr.flush()
    call.sendall(str(code).encode())
    os._exit(0)
