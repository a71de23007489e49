"""Hosts that are real where it matters: systemd as the first process, sshd, a network and a control group of their own.

The controller lives in a network namespace without a way out; each host is joined to it by one cable, which can be cut,
made lossy, or made to carry one way only. What a host has written stays when its power is cut.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.hosts.base_tree import base_tree

NETWORK = "198.51.100"  # of RFC 5737: nobody's
UP_WITHIN_S = 60.0
CGROUPS = Path("/sys/fs/cgroup")
ENVIRONMENT = "/opt/environment"  # this interpreter's packages, on every host


def run(*command: str | Path, given: bytes | None = None, check: bool = True) -> str:
    """What a program of this machine printed."""
    done = subprocess.run([str(each) for each in command], input=given, capture_output=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{shlex.join(map(str, command))}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace")


@dataclass
class LabHost:
    """One host."""

    lab: Lab
    number: int
    delayed: bool = False
    _nspawn: subprocess.Popen[bytes] | None = None
    _relay: subprocess.Popen[bytes] | None = None
    _full: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"h{self.number}"

    @property
    def machine(self) -> str:
        return f"{self.lab.prefix}{self.name}"

    @property
    def address(self) -> str:
        return f"{NETWORK}.{10 + self.number}"

    @property
    def folder(self) -> Path:
        return self.lab.folder / self.name

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def cable(self) -> str:
        return f"{self.lab.prefix}c{self.number}"

    # -- power ------------------------------------------------------------------------------------------------

    def power_on(self) -> None:
        """Boot, and wait until it is up and can be logged in to."""
        script = [
            f"mountpoint -q {self.root} || mount -t overlay overlay -o "
            f"lowerdir={self.lab.base},upperdir={self.folder}/up,workdir={self.folder}/work {self.root}",
            *(f"mkdir -p {group} && echo $$ > {group}/cgroup.procs" for group in self._cgroups()),
            "exec systemd-nspawn -q "
            f"-D {self.root} -M {self.machine} --register=no --keep-unit --boot --console=pipe "
            f"--capability=CAP_NET_ADMIN --network-namespace-path=/run/netns/{self.machine} --kill-signal=SIGRTMIN+3 "
            f"--bind-ro={sys.prefix}:{ENVIRONMENT} --bind-ro={sys.base_prefix}",
        ]
        with open(self.folder / "console", "ab") as log:
            self._nspawn = subprocess.Popen(
                ["bash", "-ec", "\n".join(script)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "SYSTEMD_LOG_LEVEL": "warning"},
            )

    def wait_until_up(self) -> None:
        until_s = time.monotonic() + UP_WITHIN_S
        state = ""
        while time.monotonic() < until_s:
            state = self.inside("systemctl", "is-system-running", check=False).strip()
            if state == "running" and "2222" not in state and self._answers():
                return
            time.sleep(0.1)
        console = (self.folder / "console").read_text(errors="replace")[-2000:]
        raise AssertionError(f"{self.name} is not up: {state or 'no answer'}\n{console}")

    def power_off(self) -> None:
        """As when somebody pulls the plug: nothing is told, nothing is flushed."""
        nspawn, self._nspawn = self._nspawn, None
        if nspawn is None:
            return
        leader = self._leader(nspawn.pid)
        for pid in (nspawn.pid, leader):
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(pid, signal.SIGKILL)  # type: ignore[arg-type]
        nspawn.wait()
        until_s = time.monotonic() + 10
        while leader is not None and Path(f"/proc/{leader}").exists() and time.monotonic() < until_s:
            time.sleep(0.02)

    def inside(self, *command: str, check: bool = True, given: bytes | None = None) -> str:
        """What a command printed that root ran on the host, whatever its network does."""
        entering = self._inside()
        if entering is None:
            assert not check, f"{self.name} has no power"
            return ""
        return run(*entering, *command, check=check, given=given)

    def begin_inside(self, *command: str) -> subprocess.Popen[str]:
        """The same, at work; what it prints can be read meanwhile."""
        entering = self._inside()
        assert entering is not None, f"{self.name} has no power"
        return subprocess.Popen([*entering, *command], stdout=subprocess.PIPE, text=True)

    def _inside(self) -> list[str] | None:
        leader = self._leader(self._nspawn.pid) if self._nspawn else None
        if leader is None:
            return None
        return [
            "nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root",
            "--wd=/", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        ]  # fmt: skip

    def _leader(self, nspawn: int) -> int | None:
        """The host's first process, as this machine numbers it."""
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
            for child in children:
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
        return None

    def _answers(self) -> bool:
        probe = f"import socket; socket.create_connection(('{self.address}', 22), 1).recv(3)"
        done = subprocess.run(
            [*self.lab.in_ctl, sys.executable, "-c", probe], capture_output=True, check=False
        )
        return done.returncode == 0

    def _cgroups(self) -> list[Path]:
        hierarchies = [each for each in ("unified", "systemd", "memory", "pids") if (CGROUPS / each).is_dir()]
        return [CGROUPS / each / self.machine for each in hierarchies] or [CGROUPS / self.machine]

    # -- the cable --------------------------------------------------------------------------------------------

    def cut(self) -> None:
        run("ip", "-n", self.lab.ctl, "link", "set", self.cable, "down")

    def heal(self) -> None:
        run("ip", "-n", self.lab.ctl, "link", "set", self.cable, "up")
        self._rules("")

    def one_way(self) -> None:
        """What the host says no longer arrives; what it is told does."""
        self._rules("drop")

    def loss(self, percent: int) -> None:
        """Of what the host says."""
        self._rules(f"numgen random mod 100 < {percent} drop")

    def _rules(self, rule: str) -> None:
        table = f"table netdev lab{self.number}"
        given = f"add {table}\ndelete {table}\n"
        if rule:
            chain = f"type filter hook ingress device {self.cable} priority 0;"
            given += f"{table} {{\n chain in {{\n {chain}\n {rule}\n }}\n}}\n"
        run(*self.lab.in_ctl, "nft", "-f", "-", given=given.encode())

    def delay(self, each_way_ms: float) -> None:
        """Let the cable take that long. Only of a host that was made with `delayed`."""
        assert self.delayed
        (self.folder / "delay").write_text(str(each_way_ms / 1000))

    # -- the rest ---------------------------------------------------------------------------------------------

    def disk_full(self, folder: str) -> None:
        """What is below the folder moves to a disk of 8 MB that has no room left."""
        self.inside("mkdir", "-p", folder)
        self.inside("mount", "-t", "tmpfs", "-o", "size=256k,mode=0777", "tmpfs", folder)
        self.inside("dd", "if=/dev/zero", f"of={folder}/filler", "bs=1k", check=False)
        self._full.append(folder)

    def disk_free(self) -> None:
        for folder in self._full:
            self.inside("umount", folder)
        self._full.clear()

    def slow(self, is_slow: bool = True) -> None:
        """Whatever root and others start there next gets the smallest share of the processor, or the usual one."""
        for pid in self.inside("pgrep", "-f", "host serve", check=False).split():
            self.inside("kill", "-STOP" if is_slow else "-CONT", pid, check=False)

    def wrong_host_key(self) -> None:
        """Another machine answers at its address."""
        self.inside("bash", "-c", "rm -f /etc/ssh/ssh_host_ed25519_key*; ssh-keygen -q -t ed25519 -N '' "
                    "-f /etc/ssh/ssh_host_ed25519_key; systemctl restart ssh")  # fmt: skip

    def right_host_key(self) -> None:
        for name in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"):
            content = (self.folder / name).read_bytes()
            self.inside("bash", "-c", f"umask 077; cat > /etc/ssh/{name}", given=content)
        self.inside("systemctl", "restart", "ssh")

    def make(self) -> None:
        """Its disk, its cable, its keys. It is off."""
        for each in ("up", "work", "root"):
            (self.folder / each).mkdir(parents=True)
        up = self.folder / "up"
        key = self.folder / "ssh_host_ed25519_key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", key)
        ssh = up / "etc/ssh"
        ssh.mkdir(parents=True)
        for each in (key, key.with_suffix(".pub")):
            (ssh / each.name).write_bytes(each.read_bytes())
            (ssh / each.name).chmod(0o600)
        (ssh / "sshd_config").write_text(
            "HostKey /etc/ssh/ssh_host_ed25519_key\nUsePAM no\nPasswordAuthentication no\n"
            "PermitRootLogin prohibit-password\nUseDNS no\nSubsystem sftp internal-sftp\nMaxStartups 100\n"
        )
        (up / "etc/hostname").write_text(f"{self.name}\n")
        (up / "etc/hosts").write_text(f"127.0.0.1 localhost {self.name}\n")
        (up / "etc/machine-id").write_text(f"{self.number:032x}\n")
        allowed = up / "root/.ssh/authorized_keys"
        allowed.parent.mkdir(parents=True)
        allowed.write_bytes(self.lab.key.with_suffix(".pub").read_bytes())
        (up / "root").chmod(0o711)  # the interpreter of the tests may lie below it
        allowed.parent.chmod(0o700)
        run("ip", "netns", "add", self.machine)
        run("ip", "-n", self.machine, "link", "set", "lo", "up")
        if self.delayed:
            self._lay_a_slow_cable()
        else:
            run("ip", "link", "add", self.cable, "netns", self.lab.ctl, "type", "veth",
                "peer", "name", "eth0", "netns", self.machine)  # fmt: skip
        run("ip", "-n", self.machine, "addr", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "-n", self.machine, "link", "set", "eth0", "up")
        run("ip", "-n", self.lab.ctl, "link", "set", self.cable, "master", "br0", "up")

    def _lay_a_slow_cable(self) -> None:
        relay = Path(__file__).with_name("relay.py")
        self.delay(0)
        self._relay = subprocess.Popen(
            [
                sys.executable,
                relay,
                f"{self.lab.ctl}/{self.cable}",
                f"{self.machine}/eth0",
                self.folder / "delay",
            ],
            stdout=subprocess.PIPE,
        )
        assert self._relay.stdout is not None
        assert self._relay.stdout.readline() == b"up\n"

    def remove(self) -> None:
        self.power_off()
        if self._relay is not None:
            self._relay.kill()
            self._relay.wait()
            assert self._relay.stdout is not None
            self._relay.stdout.close()
        run("umount", "--lazy", self.root, check=False)
        run("ip", "netns", "del", self.machine, check=False)
        for group in self._cgroups():
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)


@dataclass
class Lab:
    """Hosts, and the controller's place."""

    folder: Path
    base: Path
    hosts: list[LabHost] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return f"l{os.getpid() % 100_000}"

    @property
    def ctl(self) -> str:
        return f"{self.prefix}ctl"

    @property
    def in_ctl(self) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.ctl}"]

    @property
    def key(self) -> Path:
        return self.folder / "key"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def command(
        self, *words: str, at: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """`magellan` at work as the controller."""
        return subprocess.Popen(
            [*self.in_ctl, sys.executable, "-m", "magellan", *words],
            cwd=at,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def lab_of(folder: Path, hosts: int, *, delayed: bool = False) -> Iterator[Lab]:
    """So many hosts, up."""
    lab = Lab(folder=folder, base=base_tree())
    folder.mkdir(parents=True, exist_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "controller", "-f", lab.key)
    run("ip", "netns", "add", lab.ctl)
    try:
        run("ip", "-n", lab.ctl, "link", "set", "lo", "up")
        run("ip", "-n", lab.ctl, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", lab.ctl, "addr", "add", f"{NETWORK}.1/24", "dev", "br0")
        run("ip", "-n", lab.ctl, "link", "set", "br0", "up")
        for number in range(1, hosts + 1):
            host = LabHost(lab, number, delayed)
            lab.hosts.append(host)
            host.make()
            host.power_on()
        for host in lab.hosts:
            host.wait_until_up()
        lab.known_hosts.write_text(
            "".join(
                f"{each.address} {(each.folder / 'ssh_host_ed25519_key.pub').read_text()}"
                for each in lab.hosts
            )
        )
        yield lab
    finally:
        for host in lab.hosts:
            host.remove()
        run("ip", "netns", "del", lab.ctl, check=False)
