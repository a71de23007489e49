"""A base image without a registry: the interpreter that runs the tests, bare or with the packages that releases list.

`python tests/lab/compose/base_image.py docker -H unix:///run/docker.sock` has an engine hold the one with packages, for
trying a compose target by hand.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[3] / "requirements" / "run.lock"
_LEFT_OUT = {"test", "site-packages", "__pycache__", "idlelib", "lib2to3", "tkinter"}
_PASSWD = b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"


def base_image(
    docker: list[str], *, with_packages: bool, only: Collection[str] = (), also: Sequence[Path] = ()
) -> str:
    """Have the engine hold the image; gives its id. One that is there already is used again.

    docker: the engine's command, with where it listens. only: of the packages these, where some are named.
    also:   folders whose Python files lie in the image where they lie here.
    """
    files = dict(sorted(_files(with_packages=with_packages, only=only)))
    files |= {str(each): each for folder in also for each in sorted(folder.rglob("*.py"))}
    listing = json.dumps([(place, str(source), source.stat().st_size) for place, source in files.items()])
    tag = f"magellan-lab/base:{hashlib.sha256(listing.encode()).hexdigest()[:16]}"
    found = subprocess.run(
        [*docker, "image", "inspect", "--format", "{{.Id}}", tag], capture_output=True, text=True
    )
    if found.returncode == 0:
        return f"sha256:{found.stdout.strip().removeprefix('sha256:')}"  # Podman leaves it out
    prefix = sys.base_prefix
    change = [f"ENV PATH={prefix}/bin:/usr/bin:/bin LD_LIBRARY_PATH={prefix}/lib", 'CMD ["python"]']
    command = [*docker, "import", *(word for each in change for word in ("--change", each)), "-", tag]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False) as importing:
        assert importing.stdin is not None and importing.stdout is not None
        with tarfile.open(fileobj=importing.stdin, mode="w|") as tar:
            for place, source in files.items():
                tar.add(source.resolve(), arcname=place.lstrip("/"), recursive=False)
            _add(tar, "etc/passwd", _PASSWD)
            for name in ("tmp", "opt", "proc", "sys", "dev"):
                folder = tarfile.TarInfo(name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
                tar.addfile(folder)
            for name in ("python", "python3"):
                link = tarfile.TarInfo(f"{prefix.lstrip('/')}/bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, Path(sys.executable).resolve().name
                tar.addfile(link)
        importing.stdin.close()
        image = importing.stdout.read().decode().strip()
    assert importing.returncode == 0, "the engine did not take the base image"
    return image


def _files(*, with_packages: bool, only: Collection[str]) -> Iterator[tuple[str, Path]]:
    """Where each file lies in the image, and here."""
    executable = Path(sys.executable).resolve()
    yield f"{sys.base_prefix}/bin/{executable.name}", executable
    standard = Path(sysconfig.get_path("stdlib"))
    compiled = [executable]
    for path in standard.rglob("*"):
        inside = path.relative_to(standard).parts
        if path.is_file() and not _LEFT_OUT & set(inside) and not inside[0].startswith("config-"):
            yield str(path), path
            compiled += [path] if path.suffix == ".so" else []
    site = f"{standard}/site-packages"
    listed_names = re.findall(r"^([A-Za-z0-9_.-]+)==", REQUIREMENTS.read_text(), re.MULTILINE)
    for name in sorted(set(listed_names)) if with_packages else ():
        if only and name not in only:
            continue
        try:
            listed = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform
        for file in listed:
            source = Path(str(file.locate()))
            if source.is_file() and ".." not in file.parts and "tests" not in file.parts:
                yield f"{site}/{file}", source
                compiled += [source] if ".so" in source.name else []
    yield from _libraries(compiled)


def _libraries(compiled: list[Path]) -> Iterator[tuple[str, Path]]:
    """The system's libraries that they need, the loader among them."""
    told = subprocess.run(["ldd", *map(str, compiled)], capture_output=True, text=True, check=False).stdout
    for name in sorted(set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", told, re.MULTILINE))):
        if not name.startswith(f"{sys.prefix}/"):
            yield name, Path(name)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    sys.stdout.write(base_image(sys.argv[1:], with_packages=True) + "\n")
