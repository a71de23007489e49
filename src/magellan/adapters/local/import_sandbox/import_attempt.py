"""The sandbox's program, run by the project's own interpreter: imports one module after the other, each in a fork.

It and the two files beside it need nothing but the standard library of Python 3.8 or newer. Requests come as JSON, one
per line, and so do answers. How a request is carried out, where the kernel has user namespaces:

    this process            a user namespace of its own, without network; it never imports anything of the tree
      └ forked per module   a mount namespace: everything read-only, the tree under an overlay in memory
          └ its child       a process namespace, no capabilities, limits; imports the module and tells

Where there are none, the child works on a copy of the tree, and Python's audit hooks refuse network, processes and
writes. Whoever asks may be killed at any time: this process ends then, and so does all that it began.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import re
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .shut_off import drop_capabilities, enter_namespaces, in_own_namespaces, limit, scratch_place
from .watched_import import import_watched, write

PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG = 38, 1
WAITING = 3
"""On the clock an import may take this many times the CPU time that it may use: a busy machine is not its fault."""
_COPY = "magellan-import-"
_ABANDONED_S = 60.0
_PLACE = re.compile(r'File "(.+)", line (\d+)')


def main() -> None:
    """Answer requests until there are none, or nobody who asks."""
    # What is imported shall meet neither this program's modules nor the folder that they were found in.
    del sys.path[0]
    for name in [each for each in sys.modules if each.partition(".")[0] == "import_sandbox"]:
        del sys.modules[name]
    settings = json.loads(sys.stdin.readline())
    shut_off = settings["namespaces"] and enter_namespaces()
    with contextlib.suppress(BrokenPipeError), _room(settings, shut_off) as (tree, scratch):
        _tell({"namespaces": shut_off})
        for line in sys.stdin:
            answer = _answer(json.loads(line), tree, settings, scratch, shut_off)
            if answer is None:
                break
            _tell(answer)


@contextlib.contextmanager
def _room(settings: Mapping[str, Any], shut_off: bool) -> Iterator[tuple[str, str]]:
    """The tree that is imported from, and where temporary files go; without namespaces, both in a folder of our own."""
    if shut_off:
        with scratch_place(settings["tree"]) as place:
            yield settings["tree"], place
        return
    folder = _own_folder()
    try:
        copy = os.path.join(folder, "tree")
        shutil.copytree(
            settings["tree"], copy, symlinks=True, ignore=shutil.ignore_patterns(*settings["ignored"])
        )
        os.mkdir(os.path.join(folder, "tmp"))
        yield copy, os.path.join(folder, "tmp")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own_folder() -> str:
    """A temporary folder with a lock on it. Those whose locks nobody holds were left by a kill, and are removed."""
    base = tempfile.gettempdir()
    for name in os.listdir(base):
        left = os.path.join(base, name)
        with contextlib.suppress(OSError):
            if name.startswith(_COPY) and time.time() - os.stat(left).st_mtime > _ABANDONED_S:
                with open(os.path.join(left, "lock")) as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left)
    folder = tempfile.mkdtemp(prefix=_COPY)
    # Held for as long as this process lives; closed by nobody but its end.
    fcntl.flock(os.open(os.path.join(folder, "lock"), os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)
    return folder


def _answer(
    request: Mapping[str, Any], tree: str, settings: Mapping[str, Any], scratch: str, shut_off: bool
) -> dict[str, Any] | None:
    """Import it as Python would, and again with folders beside it where it misses a module that lies there.

    Were they searched at once, whoever asks whether there is a `compression` would get the package's own, once more.
    """
    answer = _attempt({**request, "search_last": []}, tree, settings, scratch, shut_off)
    if answer is None or not _lies_in(request["search_last"], answer.get("missing", ""), tree):
        return answer
    left_s = request["left_s"]
    left_s = None if left_s is None else max(0.0, left_s - answer["took_s"])
    return _attempt({**request, "left_s": left_s}, tree, settings, scratch, shut_off)


def _lies_in(folders: Sequence[str], missing: str, tree: str) -> bool:
    paths = [os.path.join(tree, folder, missing.partition(".")[0]) for folder in folders if missing]
    return any(os.path.isdir(path) or os.path.exists(path + ".py") for path in paths)


def _attempt(
    request: Mapping[str, Any], tree: str, settings: Mapping[str, Any], scratch: str, shut_off: bool
) -> dict[str, Any] | None:
    """Fork, and wait as long as the time limit allows. None: nobody waits for the answer any more."""
    answer_end, tell_end = os.pipe()
    begun = time.monotonic()
    outer = os.fork()
    if outer == 0:
        os.close(answer_end)
        _outer(request, tree, settings, scratch, shut_off, tell_end)
    os.close(tell_end)
    own_s = WAITING * settings["time_limit_s"]
    left_s = request["left_s"]
    wait = _Wait(outer, answer_end, begun + (own_s if left_s is None else min(own_s, left_s)))
    status = wait.until_it_ends()
    os.close(answer_end)
    if wait.is_abandoned:
        return None
    answer = {"path": request["path"], "took_s": time.monotonic() - begun}
    told = wait.told.decode("utf-8", "replace").splitlines()
    lines = [json.loads(line) for line in told if line.startswith("{") and line.endswith("}")]
    answer["touched"] = [line["touched"] for line in lines if "touched" in line]
    ends = [line for line in lines if "error" in line]
    if ends:
        answer.update(ends[0])
    elif status is None and left_s is not None and left_s < own_s:
        answer["cut_off"] = True
    elif status is None or _out_of_time(status, answer["took_s"], settings):
        answer.update(
            error="TimeLimit",
            message="stopped after {} s".format(settings["time_limit_s"]),
            place=_last_place(told, tree),
        )
    else:
        answer.update(error="Died", message=_death(status), place=_last_place(told, tree))
    return answer


class _Wait:
    """Waiting for one import: for its answer, its end, the end of its time, or the end of whoever asked."""

    def __init__(self, pid: int, answer_end: int, until: float) -> None:
        self._pid, self._answer_end, self._until = pid, answer_end, until
        self.told = b""
        self.is_abandoned = False

    def until_it_ends(self) -> int | None:
        """Its status; None where the time was up, or nobody waits any more."""
        poll = select.poll()
        poll.register(self._answer_end, select.POLLIN)
        poll.register(0, 0)  # of a pipe that nobody writes to any more the system tells unasked
        while True:
            left_s = self._until - time.monotonic()
            ready = dict(poll.poll(max(0, left_s) * 1000))
            if 0 in ready:
                self.is_abandoned = True
                _kill(self._pid)
                return None
            if left_s <= 0:
                self._ask_where()
                _kill(self._pid)
                return None
            if self._answer_end not in ready:
                continue
            chunk = os.read(self._answer_end, 65536)
            self.told += chunk
            if b'{"error"' in chunk:  # it has told; threads and processes that it left do not keep us
                _kill(self._pid)
                return 0
            if not chunk:  # nobody holds the other end: it has ended, or has closed what it did not open
                return self._end_of_it()

    def _end_of_it(self) -> int | None:
        while time.monotonic() < self._until:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                _kill(self._pid)
                return status
            time.sleep(0.01)
        _kill(self._pid)
        return None

    def _ask_where(self) -> None:
        """Let it say which line it is at, as it does when its processor time is used up."""
        with contextlib.suppress(OSError):
            os.killpg(self._pid, signal.SIGXCPU)
        if select.select([self._answer_end], [], [], 0.5)[0]:
            time.sleep(0.02)  # the last lines of the same answer
            self.told += os.read(self._answer_end, 65536)


def _kill(pid: int) -> None:
    for target in (-pid, pid):  # its group, and where it has none yet, it alone
        with contextlib.suppress(OSError):
            os.kill(target, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.waitpid(pid, 0)


def _last_place(told: list[str], tree: str) -> str:
    """The innermost line of the tree in the first stack that was told: the innermost stands first."""
    for line in told:
        found = _PLACE.search(line)
        if found and found[1].startswith(tree + "/"):
            return f"{os.path.relpath(found[1], tree)}:{found[2]}"
    return ""


def _out_of_time(status: int, took_s: float, settings: Mapping[str, Any]) -> bool:
    """Whether the system ended it for its processor time; the first process of a namespace only hears SIGKILL."""
    ended_by = _ended_by(status)
    return ended_by == signal.SIGXCPU or (
        ended_by == signal.SIGKILL and took_s >= max(1.0, float(settings["time_limit_s"]))
    )


def _ended_by(status: int) -> int:
    """The signal that ended the import; 0: none. The process between tells it as a shell would: 128 and the signal."""
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    return max(0, os.WEXITSTATUS(status) - 128)


def _death(status: int) -> str:
    if _ended_by(status):
        return f"signal {_ended_by(status)}"
    return f"exit status {os.WEXITSTATUS(status)} without a word"


def _outer(
    request: Mapping[str, Any],
    tree: str,
    settings: Mapping[str, Any],
    scratch: str,
    shut_off: bool,
    tell_end: int,
) -> None:
    """In the forked process. Never returns."""
    try:
        os.setsid()
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if shut_off:
            in_own_namespaces(libc, tree, scratch)
            inner = os.fork()
            if inner:
                signal.signal(signal.SIGXCPU, signal.SIG_IGN)  # it is the import that is asked where it is
                _, status = os.waitpid(inner, 0)
                os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        limit(settings)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        drop_capabilities(libc)
        import_watched(
            request, tree, tell_end, os.path.join(scratch, "tmp") if shut_off else scratch, shut_off
        )
    # The outermost frame of a forked process: whatever happens is told, and nothing returns into the parent's code.
    except BaseException as error:  # noqa: BLE001
        with contextlib.suppress(OSError):
            write(tell_end, {"error": "Sandbox", "message": repr(error)})
    finally:
        os._exit(0)


def _tell(message: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
