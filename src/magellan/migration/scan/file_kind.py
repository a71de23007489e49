"""What kind of file something is, by its path and by what its first bytes look like."""

from __future__ import annotations

import re
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

SNIFFED_BYTES: Final = 4096


class FileKind(StrEnum):
    """What a file is for. Only CODE, TEST and SCRIPT hold Python that is read."""

    CODE = "code"
    TEST = "test"
    SCRIPT = "script"  # Python that is started and not imported, and shell scripts
    NOTEBOOK = "notebook"
    CONFIG = "config"
    DEPLOYMENT = "deployment"
    DOC = "doc"
    DATA = "data"
    LOG = "log"
    COMPILED = "compiled"  # machine code, archives, images: bytes without text
    OTHER = "other"  # text of a kind that is not known
    UNREADABLE = "unreadable"


_BY_NAME: Final[tuple[tuple[FileKind, tuple[str, ...]], ...]] = (
    (
        FileKind.DEPLOYMENT,
        ("dockerfile", "dockerfile.*", "docker-compose*.y*ml", "compose.y*ml", "*.service", "*.timer", "*.tf",
         "procfile", "jenkinsfile"),
    ),
    (
        FileKind.CONFIG,
        ("*.toml", "*.ini", "*.cfg", "*.conf", "*.yaml", "*.yml", "*.env", ".env*", "*.properties", "makefile",
         ".git*", ".editorconfig", ".dockerignore", "requirements*.txt", "constraints*.txt", "*.lock", "*.in"),
    ),
    (FileKind.DOC, ("*.md", "*.rst", "*.adoc", "*.pdf", "*.docx", "license*", "readme*", "*.tex")),
    (FileKind.NOTEBOOK, ("*.ipynb",)),
    (FileKind.LOG, ("*.log", "*.log.*", "*.out", "*.err", "nohup*")),
    (
        FileKind.DATA,
        ("*.csv", "*.tsv", "*.parquet", "*.feather", "*.h5", "*.hdf5", "*.pkl", "*.pickle", "*.db", "*.sqlite*",
         "*.npy", "*.npz", "*.xlsx", "*.xls", "*.jsonl", "*.arrow", "*.joblib", "*.pt", "*.pth", "*.onnx", "*.xml"),
    ),
    (FileKind.SCRIPT, ("*.sh", "*.bash", "*.bat", "*.ps1", "*.cmd")),
    (
        FileKind.COMPILED,
        ("*.so", "*.pyd", "*.dll", "*.dylib", "*.pyc", "*.whl", "*.zip", "*.gz", "*.tar", "*.png", "*.jpg", "*.jpeg",
         "*.gif", "*.ico", "*.exe", "*.jar", "*.woff*", "*.ttf"),
    ),
)  # fmt: skip
_TEST_FOLDER: Final = re.compile(r"(?:^|/)(?:tests?|testing)/")
_JSON_OF_DATA: Final = 200_000  # bytes; nobody writes a configuration of this length by hand


def kind_of(path: str, size: int, head: bytes) -> FileKind:
    """What kind of file it is, for all but Python.

    head: its first bytes, at most SNIFFED_BYTES.
    """
    name = path.rpartition("/")[2].lower()
    if path.startswith(".github/workflows/"):
        return FileKind.DEPLOYMENT
    for kind, patterns in _BY_NAME:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return kind
    if name.endswith(".json"):
        return FileKind.DATA if size > _JSON_OF_DATA else FileKind.CONFIG
    if name.endswith(".txt"):
        return FileKind.DATA if size > _JSON_OF_DATA else FileKind.DOC
    if b"\0" in head:
        return FileKind.COMPILED
    if head.startswith(b"#!"):
        return FileKind.SCRIPT
    return FileKind.OTHER


def is_test(path: str) -> bool:
    """Whether test runners would look into that Python file, by its path."""
    name = path.rpartition("/")[2]
    return (
        name.startswith("test_")
        or name.rpartition(".")[0].endswith("_test")
        or name == "conftest.py"
        or _TEST_FOLDER.search(path) is not None
    )
