"""The import itself, in the process that is shut off for it: what it raises, and what it reaches for, is told."""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from typing import Any


def import_watched(
    request: Mapping[str, Any], tree: str, tell_end: int, scratch: str, shut_off: bool
) -> None:
    """Import one module, and tell what came of it on `tell_end`. Its own code runs here."""
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
    sys.path += [os.path.join(tree, each) for each in request["search_last"]]
    sys.argv = [request["path"]]
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 1000))
    # A crash, and the end of its time, say which line it was at.
    faulthandler.enable(tell_end, all_threads=False)
    faulthandler.register(signal.SIGXCPU, tell_end, all_threads=False, chain=True)
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
    write(tell_end, told)


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
            write(tell_end, {"touched": [kind, what]})

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
            is_device = path.startswith("/dev/") and not path.startswith("/dev/shm/")
            if is_device or path.startswith(scratch + "/"):
                return
            if path.startswith(tree + "/"):
                note("write", os.path.relpath(path, tree))
            else:
                note("write", path)
                if not is_shut_off:
                    raise PermissionError("no writes while a module is imported")

    sys.addaudithook(hook)


def write(tell_end: int, message: Mapping[str, Any]) -> None:
    """One line of JSON, in one write, so that lines of several threads do not mix."""
    os.write(tell_end, (json.dumps(message) + "\n").encode())
