"""The tree that every host of the lab stands on: a small Debian with systemd and a real sshd. Made once, then kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "python3-venv", "iproute2", "procps",
    "libpam-systemd", "sudo", "nftables", "logrotate",
)  # fmt: skip
SUITE = "bookworm"
NEEDED = ("systemd-nspawn", "debootstrap", "sshd", "nft", "ip", "nsenter")
MAKE_MINUTES_MAX = 15


def why_not() -> str:
    """Why no host can be made on this machine; "" where one can."""
    if os.geteuid() != 0:
        return "hosts with systemd as their first process need root"
    missing = [
        each for each in NEEDED if shutil.which(each, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None
    ]
    if missing:
        return f"hosts need {', '.join(missing)}: apt-get install systemd-container debootstrap openssh-server nftables"
    if not Path("/sys/fs/cgroup").is_dir() or not os.access("/sys/fs/cgroup", os.W_OK):
        return "hosts need control groups that can be written"
    return ""


def base_tree() -> Path:
    """The tree, made if it is not there. Raises CalledProcessError where Debian's archive cannot be reached."""
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "magellan" / "lab"
    digest = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:12]
    tree = kept / f"{SUITE}-{digest}"
    if not tree.is_dir():
        unfinished = tree.with_name(f"{tree.name}.{os.getpid()}")
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        include = f"--include={','.join(PACKAGES)}"
        subprocess.run(
            ["debootstrap", "--variant=minbase", include, SUITE, str(unfinished)],
            check=True,
            capture_output=True,
            timeout=MAKE_MINUTES_MAX * 60,
        )
        unfinished.rename(tree)
    return tree
