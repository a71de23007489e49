"""Run by the project's own interpreter, in the sandbox: imports one module after the other, each in a forked process.

It stands alone: it needs nothing but the standard library of Python 3.8 or newer. Requests come as JSON, one per line,
and so do answers. How a request is carried out, where the kernel has user namespaces:

    this process            a user namespace of its own, without network; it never imports anything of the tree
      └ forked per module   a mount namespace: everything read-only, the tree under an overlay in memory
          └ its child       a process namespace, no capabilities, limits; imports the module and tells

Where there are none, the child works on a copy of the tree, and Python's audit hooks refuse network, processes and
writes.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from typing import Any

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC = (
    0x00020000,
    0x10000000,
    0x20000000,
    0x40000000,
    0x08000000,
)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG = 38, 1
WAITING = 3
"""On the clock an import may take this many times the CPU time that it may use: a busy machine is not its fault."""


def main() -> None:
    """Answer requests until there are none."""
    settings = json.loads(sys.stdin.readline())
    tree = settings["tree"]
    shut_off = settings["namespaces"] and _enter_namespaces()
    _tell({"namespaces": shut_off})
    copy = ""
    # Each child mounts memory on it, in its own namespace; without namespaces, temporary files go there.
    overlay = tempfile.mkdtemp(prefix="magellan-over-")
    for line in sys.stdin:
        request = json.loads(line)
        if not shut_off and not copy:
            copy = tempfile.mkdtemp(prefix="magellan-import-")
            shutil.copytree(
                tree,
                copy,
                symlinks=True,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns(*settings["ignored"]),
            )
        _tell(_attempt(request, copy or tree, settings, overlay, shut_off))
    shutil.rmtree(overlay, ignore_errors=True)
    if copy:
        shutil.rmtree(copy, ignore_errors=True)


def _enter_namespaces() -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if not hasattr(libc, "unshare") or libc.unshare(
        CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS
    ):
        return False
    try:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            with open("/proc/self/" + name, "w") as file:
                file.write(text)
    except OSError:
        return False
    return not libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)


def _attempt(
    request: dict[str, Any], tree: str, settings: dict[str, Any], overlay: str, shut_off: bool
) -> dict[str, Any]:
    """Fork, and wait as long as the time limit allows."""
    answer_end, tell_end = os.pipe()
    begun = time.monotonic()
    outer = os.fork()
    if outer == 0:
        os.close(answer_end)
        _outer(request, tree, settings, overlay, shut_off, tell_end)
    os.close(tell_end)
    told, status = _wait(outer, answer_end, begun + WAITING * settings["time_limit_s"])
    os.close(answer_end)
    answer = {"path": request["path"], "took_s": time.monotonic() - begun}
    lines = [json.loads(line) for line in told.decode("utf-8", "replace").splitlines() if line.endswith("}")]
    answer["touched"] = [line["touched"] for line in lines if "touched" in line]
    ends = [line for line in lines if "error" in line]
    if ends:
        answer.update(ends[0])
    elif status is None or _out_of_time(status, answer["took_s"], settings):
        answer.update(error="TimeLimit", message="stopped after {} s".format(settings["time_limit_s"]))
    else:
        answer.update(error="Died", message=_death(status))
    return answer


def _wait(pid: int, answer_end: int, until: float) -> tuple[bytes, int | None]:
    """What the child told until it ended, or until the time was up; and its status, None where the time was up."""
    told = b""
    while True:
        left = until - time.monotonic()
        if left <= 0:
            _kill(pid)
            return told, None
        ready, _, _ = select.select([answer_end], [], [], left)
        if ready:
            chunk = os.read(answer_end, 65536)
            told += chunk
            if chunk and b'"error"' not in chunk:
                continue
            if chunk:  # it has told; threads and processes that it left do not keep us
                _kill(pid)
                return told, 0
            _, status = os.waitpid(pid, 0)  # nobody holds the other end any more
            _kill(pid)
            return told, status


def _kill(pid: int) -> None:
    for target in (-pid, pid):  # its group, and where it has none yet, it alone
        with contextlib.suppress(OSError):
            os.kill(target, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.waitpid(pid, 0)


def _out_of_time(status: int, took_s: float, settings: dict[str, Any]) -> bool:
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
    request: dict[str, Any], tree: str, settings: dict[str, Any], overlay: str, shut_off: bool, tell_end: int
) -> None:
    """In the forked process. Never returns."""
    os.setsid()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        if shut_off:
            if libc.unshare(CLONE_NEWNS | CLONE_NEWPID):
                raise OSError(ctypes.get_errno(), "no namespace")
            _read_only(libc, tree, overlay)
            inner = os.fork()
            if inner:
                _, status = os.waitpid(inner, 0)
                os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _limit(settings)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _drop_capabilities(libc)
        _import(request, tree, tell_end, os.path.join(overlay, "tmp") if shut_off else overlay, shut_off)
    # The outermost frame of a forked process: whatever happens is told, and nothing returns into the parent's code.
    except BaseException as error:  # noqa: BLE001
        _write(tell_end, {"error": "Sandbox", "message": repr(error)})
    os._exit(0)


def _read_only(libc: ctypes.CDLL, tree: str, overlay: str) -> None:
    """Make every mount read-only, then lay memory over the tree and over where programs keep temporary files."""
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split()[4].encode().decode("unicode_escape") for line in file]
    _mount(libc, "none", overlay, "tmpfs", MS_NOSUID | MS_NODEV, "size=512m")
    for name in ("upper", "work", "tmp"):
        os.mkdir(os.path.join(overlay, name))
    layers = f"lowerdir={tree},upperdir={overlay}/upper,workdir={overlay}/work"
    if libc.mount(b"none", tree.encode(), b"overlay", MS_NOSUID | MS_NODEV, layers.encode()):
        # No overlays in user namespaces here: then the tree is read-only, and writes in it fail.
        _mount(libc, tree, tree, None, MS_BIND | MS_REC, None)
        _mount(libc, "none", tree, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, None)
    os.chdir("/")
    for mount in sorted(set(mounts), key=len):
        if mount.startswith(("/proc", "/dev")) or mount == overlay:
            continue
        # Mounts that we may not touch are locked as they are, and then they are not ours to write either.
        flags = MS_BIND | MS_REMOUNT | MS_RDONLY
        for more in (0, MS_NOSUID, MS_NODEV, MS_NOSUID | MS_NODEV, MS_NOSUID | MS_NODEV | 8):
            if not libc.mount(b"none", mount.encode(), None, flags | more, None):
                break


def _mount(
    libc: ctypes.CDLL, source: str, target: str, kind: str | None, flags: int, options: str | None
) -> None:
    encoded = [None if each is None else each.encode() for each in (source, target, kind)]
    if libc.mount(encoded[0], encoded[1], encoded[2], flags, None if options is None else options.encode()):
        raise OSError(ctypes.get_errno(), "cannot mount " + target)


def _limit(settings: dict[str, Any]) -> None:
    memory = settings["memory_limit_bytes"]
    seconds = max(1, round(settings["time_limit_s"]))
    limits = {
        "RLIMIT_DATA": memory,
        "RLIMIT_FSIZE": 64 << 20,
        "RLIMIT_CPU": seconds,
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": 256,
        "RLIMIT_NOFILE": 512,
    }
    for name, value in limits.items():
        # Processor time: a second later without mercy. Both at once, and the system would not say which it was.
        hard = value + 1 if name == "RLIMIT_CPU" else value
        # Where the system's own limit is lower, or it knows no such one, there is nothing to do.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, name), (value, hard))


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    if not sys.platform.startswith("linux"):
        return
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; those above the last one fail, as they may
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    libc.capset(header, nothing)


def _import(request: dict[str, Any], tree: str, tell_end: int, scratch: str, shut_off: bool) -> None:
    """The module's own code runs here."""
    import importlib
    import importlib.util

    os.environ.clear()
    os.environ.update(
        HOME=scratch, TMPDIR=scratch, PATH="/usr/bin:/bin", LANG="C.UTF-8", MPLBACKEND="Agg", OMP_NUM_THREADS="1",
        OPENBLAS_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1", ENVIRONMENT="test",
    )  # fmt: skip
    os.chdir(tree)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.dont_write_bytecode = True
    sys.path[:0] = [os.path.join(tree, each) if each else tree for each in request["search"]]
    sys.argv = [request["path"]]
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 1000))
    _watch(tree, tell_end, scratch, is_shut_off=shut_off)
    told = {"error": "", "message": "", "missing": "", "place": ""}
    try:
        if request["name"]:
            importlib.import_module(request["name"])
        else:
            spec = importlib.util.spec_from_file_location("tried", os.path.join(tree, request["path"]))
            if spec is None or spec.loader is None:
                raise ImportError("Python knows no way to load " + request["path"])
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
    # A module may raise anything when it is imported, SystemExit too; that is what was asked for.
    except BaseException as error:  # noqa: BLE001
        told["error"] = type(error).__name__
        told["message"] = str(error)[:300].replace(tree + "/", "")
        if isinstance(error, ModuleNotFoundError) and error.name:
            told["missing"] = error.name
        told["place"] = _place(error, tree)
    _write(tell_end, told)


def _place(error: BaseException, tree: str) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.relpath(error.filename, tree)}:{error.lineno or 1}"
    frames = [
        each for each in traceback.extract_tb(error.__traceback__) if each.filename.startswith(tree + "/")
    ]
    return f"{os.path.relpath(frames[-1].filename, tree)}:{frames[-1].lineno}" if frames else ""


def _watch(tree: str, tell_end: int, scratch: str, is_shut_off: bool) -> None:
    """Note what the import reaches for; refuse network and processes, and, without namespaces, writes elsewhere."""
    told: set[tuple[str, str]] = set()

    def note(kind: str, what: str) -> None:
        if (kind, what) not in told and len(told) < 20:
            told.add((kind, what))
            _write(tell_end, {"touched": [kind, what]})

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
            what = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
            if isinstance(what, (str, bytes)) and event in ("socket.connect", "socket.sendto"):
                return  # a socket of this machine, by its path
            host = what[0] if isinstance(what, tuple) else what
            note("network", str(host))
            raise PermissionError("no network while a module is imported")
        if event in (
            "subprocess.Popen",
            "os.system",
            "os.posix_spawn",
            "os.exec",
            "os.fork",
            "os.forkpty",
            "pty.spawn",
        ):
            note("process", str(arguments[0])[:100] if arguments else event)
            raise PermissionError("no processes while a module is imported")
        path = None
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            mode, flags = arguments[1], arguments[2]
            written = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if isinstance(flags, int) else 0
            if (isinstance(mode, str) and set(mode) & set("wax+")) or written:
                path = arguments[0]
        elif event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "shutil.rmtree",
                       "os.chmod", "os.truncate"):  # fmt: skip
            path = arguments[0]
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if isinstance(path, str):
            path = os.path.abspath(path)
            if path.startswith("/dev/"):
                return
            if path.startswith(scratch + "/"):
                return
            if path.startswith(tree + "/"):
                note("write", os.path.relpath(path, tree))
            else:
                note("write", path)
                if not is_shut_off:
                    raise PermissionError("no writes while a module is imported")

    sys.addaudithook(hook)


def _write(tell_end: int, message: dict[str, Any]) -> None:
    os.write(tell_end, (json.dumps(message) + "\n").encode())


def _tell(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
