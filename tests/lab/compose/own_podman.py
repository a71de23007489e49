"""Podman with folders of its own: no engine runs beside it, and nothing of it is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from lab.own_environments import python_with

LACKS = [each for each in ("podman", "runc") if shutil.which(each) is None]
_SETTINGS = """
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "lowered"
tmp_dir = "{folder}/tmp"
[engine.runtimes]
lowered = ["{folder}/runc-lowered"]
"""
# Podman asks for more processes than a root inside a container may grant: what is already the most stays the most.
_RUNTIME = """#!{python}
import json, os, resource, sys
def lowered(file, process):
    with open(file) as opened:
        asked = json.load(opened)
    for each in process(asked).get("rlimits", ()):
        most = resource.getrlimit(getattr(resource, each["type"]))[1]
        if most != resource.RLIM_INFINITY:
            each["hard"], each["soft"] = min(each["hard"], most), min(each["soft"], most)
    with open(file, "w") as opened:
        json.dump(asked, opened)
words = sys.argv
if "create" in words:
    lowered(os.path.join(words[words.index("--bundle") + 1], "config.json"), lambda asked: asked["process"])
elif "--process" in words:
    lowered(words[words.index("--process") + 1], lambda asked: asked)
os.execvp("runc", ["runc", *words[1:]])
"""
_STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/data"
runroot = "{folder}/run"
"""


@contextmanager
def own_podman() -> Iterator[dict[str, str]]:
    """What a client needs to find it. Its containers are asked for no network: none is made for them."""
    compose = python_with("podman-compose==1.6.0").parent
    folder = Path(mkdtemp(prefix="magellan-podman-", dir="/tmp"))
    (folder / "containers.conf").write_text(_SETTINGS.format(folder=folder))
    (folder / "runc-lowered").write_text(_RUNTIME.format(python=sys.executable))
    (folder / "runc-lowered").chmod(0o755)
    (folder / "storage.conf").write_text(_STORAGE.format(folder=folder))
    environment = {
        "PATH": f"{compose}:{os.environ['PATH']}",
        "HOME": str(folder),
        "CONTAINERS_CONF": f"{folder}/containers.conf",
        "CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf",
    }
    try:
        yield environment
    finally:
        for words in (["rm", "--all", "--force"], ["rmi", "--all", "--force"]):
            subprocess.run(["podman", *words], env=environment, capture_output=True, check=True)
        subprocess.run(["umount", "--recursive", "--lazy", f"{folder}/data/overlay"], capture_output=True)
        shutil.rmtree(folder)
