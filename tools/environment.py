"""Make .venv and install what a lock names: `python3 tools/environment.py run|dev`.

Runs on a bare machine with any Python 3, needs no packages and no root, and is quick when nothing changed:

1. Find a Python that Magellan supports: this one, or another on the PATH.
2. Make .venv. Debian and Ubuntu ship venv without pip (`python3-venv` is a package of its own); pip then
   comes out of Debian's package of it, downloaded by apt as an ordinary user and unpacked below .bootstrap/.
3. Install the lock with its hashes, then Magellan itself, in place.
4. Leave a stamp, so that the next call knows that there is nothing to do.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
BOOTSTRAP = ROOT / ".bootstrap"
LOCKS = {  # what each contains is said in pyproject.toml
    "run": ROOT / "requirements" / "run.lock",
    "dev": ROOT / "requirements" / "dev.lock",  # all of run.lock, in the same versions, and more
}
DEBIAN_WHEELS = Path("/usr/share/python-wheels")
OLDEST, NEWEST = (3, 11), (3, 14)
WITHOUT_PIP = (
    "this Python comes without pip, and Debian's package of it could not be fetched.\n"
    "next: install it, then run the same command again:\n"
    "    sudo apt-get install python3-venv"
)


def main() -> None:
    """Bring .venv up to the lock that the command line names."""
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        stop("usage: python3 tools/environment.py " + "|".join(LOCKS))
    continue_on_a_supported_python()
    name = sys.argv[1]
    BOOTSTRAP.mkdir(exist_ok=True)
    with (BOOTSTRAP / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make demo` in one terminal, `make test` in another
        if is_current(name):
            return
        if not is_usable():
            make_venv()
        install(name)
        stamp(name).write_text(wanted(name))


def continue_on_a_supported_python() -> None:
    """Start again under another Python when this one is too old or too new."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        path = shutil.which(f"python3.{minor}")
        if path and works([path, "-c", ""]):
            os.execv(path, [path, *sys.argv])
    oldest, newest, here = ("{}.{}".format(*each) for each in (OLDEST, NEWEST, sys.version_info[:2]))
    stop(f"Magellan needs Python {oldest} to {newest}; python3 is {here}, and no other is on the PATH")


def is_current(name: str) -> bool:
    """Whether .venv already holds this lock, or the larger one."""
    sufficient = LOCKS if name == "run" else [name]
    return any(
        stamp(each).is_file() and stamp(each).read_text() == wanted(each) for each in sufficient
    ) and works([VENV_PYTHON, "-c", f"import magellan; assert magellan.__file__.startswith({str(ROOT)!r})"])


def is_usable() -> bool:
    """Whether .venv is there, with pip and a Python that Magellan supports."""
    supported = f"import sys; assert {OLDEST} <= sys.version_info[:2] <= {NEWEST}"
    return works([VENV_PYTHON, "-c", supported]) and works([VENV_PYTHON, "-m", "pip", "--version"])


def stamp(name: str) -> Path:
    """The file that says what was installed."""
    return VENV / f"installed-{name}"


def wanted(name: str) -> str:
    """What the stamp says when .venv is up to date."""
    digest = hashlib.sha256()
    for path in (LOCKS[name], ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest() + "\n"


def make_venv() -> None:
    """Make .venv with pip in it, replacing whatever is there."""
    say(f"making {VENV.relative_to(ROOT)} with Python {sys.version.split()[0]}")
    has_pip = importlib.util.find_spec("ensurepip") is not None
    options = ["--clear"] if has_pip else ["--clear", "--without-pip"]
    done = subprocess.run([sys.executable, "-m", "venv", *options, str(VENV)])
    if done.returncode != 0:
        stop("the virtual environment could not be made; see the lines above")
    if not has_pip:
        wheel = pip_wheel()
        # A wheel is a zip file, and Python runs packages out of zip files: pip installs itself.
        carry_out(
            [VENV_PYTHON, f"{wheel}/pip", "install", "--quiet", "--no-index", wheel], otherwise=WITHOUT_PIP
        )


def pip_wheel() -> Path:
    """pip as Debian packages it for virtual environments: installed already, or fetched without root."""
    installed = sorted(DEBIAN_WHEELS.glob("pip-*.whl"))
    if installed:
        return installed[-1]
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        stop("this Python comes without pip: install your system's package of it, then run this again")
    say("this Python comes without pip: fetching Debian's package of it (needs no root)")
    unpacked = BOOTSTRAP / "python3-pip-whl"
    # The system's own package lists first; lists of our own where they are absent, as in most containers, or
    # name a version that is gone.
    if not (download_package("python3-pip-whl") or download_package("python3-pip-whl", fresh_lists=True)):
        stop(WITHOUT_PIP)
    package = sorted(BOOTSTRAP.glob("python3-pip-whl_*.deb"))[-1]
    carry_out(["dpkg-deb", "-x", package, unpacked], otherwise=WITHOUT_PIP)
    return sorted(unpacked.glob("usr/share/python-wheels/pip-*.whl"))[-1]


def download_package(package: str, *, fresh_lists: bool = False) -> bool:
    """Let apt download a package into .bootstrap/; whether it could."""
    apt: list[str | Path] = ["apt-get"]
    if fresh_lists:
        folder = BOOTSTRAP / "apt"
        (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (folder / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        # Run by root, apt would hand the download to a user who may not write here.
        apt += [
            f"-oDir::State::Lists={folder}/lists",
            f"-oDir::Cache={folder}/cache",
            "-oAPT::Sandbox::User=root",
        ]
        if not works([*apt, "update"], show_errors=True):
            return False
    return works([*apt, "download", package], cwd=BOOTSTRAP, show_errors=fresh_lists)


def install(name: str) -> None:
    """Install a lock, then Magellan itself."""
    count = sum(1 for line in LOCKS[name].read_text().splitlines() if "==" in line)
    say(f"installing up to {count} locked packages (a minute or two, this once)")
    began = time.monotonic()
    pip: list[str | Path] = [VENV_PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    failed = "the packages could not be installed; see the lines above. Nothing outside .venv was touched."
    carry_out([*pip, "--no-compile", "--require-hashes", "-r", LOCKS[name]], otherwise=failed)
    # pip would compile on one core. What does not compile is a template, or for another Python: pip lets it be, too.
    works([VENV_PYTHON, "-m", "compileall", "-qq", "-j", "0", VENV / "lib"])
    # Everything this needs is in the lock, so nothing may be fetched here.
    carry_out([*pip, "--no-deps", "--no-build-isolation", "--no-index", "-e", ROOT], otherwise=failed)
    say(f"installed in {time.monotonic() - began:.0f} s")


def works(command: list[str | Path], *, cwd: Path = ROOT, show_errors: bool = False) -> bool:
    """Run a command quietly; whether it ended well."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if show_errors else subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return False
    return done.returncode == 0


def carry_out(command: list[str | Path], *, otherwise: str) -> None:
    """Run a command, or stop with a message."""
    if subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL).returncode != 0:
        stop(otherwise)


def say(text: str) -> None:
    """Say what is going on, on standard error: what `make` runs next may print an answer."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


def stop(text: str) -> None:
    """End with a message and exit code 1."""
    sys.exit(f"setup: {text}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("setup: interrupted; run the same command again", file=sys.stderr)
        sys.exit(130)
