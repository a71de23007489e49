"""Pickled files, compressed ones too: which moved modules they name. They are never changed, and listed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BufferedIOBase, BytesIO
from typing import Final

_ENDINGS: Final = (".dill", ".joblib", ".pckl", ".pickle", ".pkl")
_COMPRESSED: Final = (".bz2", ".gz", ".lzma", ".xz", ".z")
_MODELS: Final = (".ckpt", ".pt", ".pth")  # archives with a pickle inside, which is not compressed
_BEGINS: Final = frozenset(bytes((0x80, protocol)) for protocol in range(2, 6))
_OPENED_BY: Final[Mapping[bytes, Callable[[BytesIO], BufferedIOBase]]] = {
    b"\x1f\x8b": lambda packed: gzip.GzipFile(fileobj=packed),
    b"BZ": bz2.BZ2File,
    b"\xfd7": lzma.LZMAFile,
    b"\x5d\x00": lzma.LZMAFile,
}
_ZLIB_BEGINS: Final = frozenset({b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"})
_DAMAGED: Final = (OSError, EOFError, lzma.LZMAError, zlib.error)
_PART: Final = 1024 * 1024  # bytes
_UNPACKED_MAX: Final = 1024**3  # bytes of what a compressed file holds


def says_pickle(path: str) -> bool:
    """Whether the file's ending says that it is pickled: `model.pkl`, `model.pkl.gz`."""
    stem, dot, ending = path.rpartition(".")
    return (stem if f"{dot}{ending}" in _COMPRESSED else path).endswith(_ENDINGS)


def is_pickled(path: str, content: bytes) -> bool:
    """Whether its ending says so, it is a model that keeps a pickle inside, or it begins and ends as one does.

    Of a compressed file, what it holds has to begin so.
    """
    if says_pickle(path) or path.endswith(_MODELS):
        return True
    if content[:2] in _BEGINS:
        return content.endswith(b".")
    try:
        return next(_unpacked(content, 2), b"") in _BEGINS
    except _DAMAGED:
        return False


def modules_named(content: bytes, modules: Sequence[bytes]) -> tuple[list[bytes], str]:
    """Those of the modules that it names; and why not all of it was looked through, empty where it was."""
    found = {name for name in modules if name in content}
    overlap = max((len(name) for name in modules), default=0)
    seen, end, problem = 0, b"", ""
    try:
        for part in _unpacked(content, _PART):
            text = end + part
            found.update(name for name in modules if name in text)
            end, seen = text[-overlap:], seen + len(part)
            if seen >= _UNPACKED_MAX:
                problem = "holds more than 1 GiB; names of moved modules are not looked for beyond that"
                break
    except _DAMAGED as error:
        problem = f"is damaged, so not all of it was looked through: {error}"
    return [name for name in modules if name in found], problem


def _unpacked(content: bytes, size: int) -> Iterator[bytes]:
    """What a compressed file holds, in parts of at most so many bytes; nothing where it is not compressed."""
    opened_by = _OPENED_BY.get(content[:2])
    if opened_by is not None:
        with opened_by(BytesIO(content)) as unpacked:
            while part := unpacked.read(size):
                yield part
    elif content[:2] in _ZLIB_BEGINS:
        unpacker = zlib.decompressobj()
        while content and not unpacker.eof:
            yield unpacker.decompress(content, size)
            content = unpacker.unconsumed_tail
