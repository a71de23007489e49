"""What shuts a process off from the machine, as far as the kernel lets us without root. For the sandbox's program."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC = (
    0x00020000,
    0x10000000,
    0x20000000,
    0x40000000,
    0x08000000,
)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_ALWAYS_THERE = ("/dev/shm", "/mnt", "/media", "/srv")


def enter_namespaces() -> bool:
    """Live on in namespaces of our own: without network, with mounts that nobody else sees. False: not here."""
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


def in_own_namespaces(libc: ctypes.CDLL, tree: str, scratch: str) -> None:
    """In a forked process: processes and mounts of its own, everything read-only, the tree under memory."""
    if libc.unshare(CLONE_NEWNS | CLONE_NEWPID):
        raise OSError(ctypes.get_errno(), "no namespace")
    _read_only(libc, tree, scratch)


@contextlib.contextmanager
def scratch_place(tree: str) -> Iterator[str]:
    """A folder that each import lays memory over, in its own namespace; nothing is ever written into the real one.

    One that every system has is taken, so that nothing is left behind whoever is killed: not one in which the tree or
    the interpreter lies.
    """
    needed = [
        os.path.realpath(each) for each in (tree, sys.executable, sys.prefix, sys.base_prefix, *sys.path)
    ]
    for place in _ALWAYS_THERE:
        if os.path.isdir(place) and not any(each == place or each.startswith(place + "/") for each in needed):
            yield place
            return
    place = tempfile.mkdtemp(prefix="magellan-over-")
    try:
        yield place
    finally:
        os.rmdir(place)


def _read_only(libc: ctypes.CDLL, tree: str, scratch: str) -> None:
    """Make every mount read-only, then lay memory over the tree and over where programs keep temporary files."""
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split()[4].encode().decode("unicode_escape") for line in file]
    _mount(libc, "none", scratch, "tmpfs", MS_NOSUID | MS_NODEV, "size=512m")
    for name in ("upper", "work", "tmp"):
        os.mkdir(os.path.join(scratch, name))
    layers = f"lowerdir={tree},upperdir={scratch}/upper,workdir={scratch}/work"
    if libc.mount(b"none", tree.encode(), b"overlay", MS_NOSUID | MS_NODEV, layers.encode()):
        # No overlays in user namespaces here: then the tree is read-only, and writes in it fail.
        _mount(libc, tree, tree, None, MS_BIND | MS_REC, None)
        _mount(libc, "none", tree, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, None)
    os.chdir("/")
    for mount in sorted(set(mounts), key=len):
        if mount.startswith(("/proc", "/dev")) or mount == scratch:
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


def limit(settings: Mapping[str, Any]) -> None:
    """Bound memory, processor time, file size, processes and open files of this process and its children."""
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


def drop_capabilities(libc: ctypes.CDLL) -> None:
    """Give up what a namespace's own root may do."""
    if not sys.platform.startswith("linux"):
        return
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; those above the last one fail, as they may
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    libc.capset(header, nothing)
