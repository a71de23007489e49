"""Image: machine code laid out as it will lie in memory, so that a process has only to copy it there.

LLVM can link an object file, but loading LLVM takes longer than a short backtest, and 50 MiB. What Numba makes of a
kernel needs to know where its own parts lie, and where functions of the C library do (`exp`, `log`), which this process
has in memory anyway. That is all there is to link.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

_EXECUTABLE_FOR_X86_64: Final = b"\x7fELF\x02\x01"  # 64 bits, little end first
_X86_64: Final = 62
_WITH_ADDENDS: Final = 4  # kinds of sections
_SYMBOLS: Final = 2
_ONLY_ZEROS: Final = 8
_TAKES_MEMORY: Final = 2  # flag of a section
_WHOLE_ADDRESS: Final = 1  # R_X86_64_64: eight bytes
_kept: list[mmap.mmap] = []  # code may be called for as long as the process runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Code and constants of one function and all that it calls."""

    content: bytes
    entry: int  # where in it the function begins
    # At (the first) stands the address of (the second), once it is known.
    addresses: tuple[tuple[int, int], ...]
    outside: tuple[tuple[int, str], ...] = ()  # likewise that of a function of the C library


def image_of(object_file: bytes, symbol: str) -> Image | None:
    """Lay an object file out. None where it is not of the kind for which that is simple: then LLVM links it.

    Source: System V Application Binary Interface, chapters 4 and 5, and its AMD64 supplement, "Relocation".
    """
    if not object_file.startswith(_EXECUTABLE_FOR_X86_64) or os.name != "posix":
        return None
    if struct.unpack_from("<H", object_file, 18)[0] != _X86_64:
        return None
    table, size, count = _header(object_file)
    sections = [
        _Section(*struct.unpack_from("<IIQQQQIIQQ", object_file, table + at * size)) for at in range(count)
    ]
    content = bytearray()
    starts: dict[int, int] = {}  # of each section that takes memory, where it begins in the image
    for number, section in enumerate(sections):
        if section.flags & _TAKES_MEMORY:
            content.extend(bytes(-len(content) % max(section.alignment, 1)))
            starts[number] = len(content)
            if section.kind == _ONLY_ZEROS:
                content.extend(bytes(section.size))
            else:
                content.extend(object_file[section.offset : section.offset + section.size])
    places: list[int | str] = []  # of each symbol; its name where it is not in here
    entry: int | None = None
    for section in sections:
        if section.kind != _SYMBOLS:
            continue
        strings = sections[section.link]
        names = object_file[strings.offset : strings.offset + strings.size]
        for name, _, _, within, value, _ in struct.iter_unpack(
            "<IBBHQQ", object_file[section.offset : section.offset + section.size]
        ):
            called = names[name : names.index(b"\0", name)].decode()
            places.append(starts[within] + value if within in starts else called)
            if called == symbol and within in starts:
                entry = starts[within] + value
    addresses: list[tuple[int, int]] = []
    outside: list[tuple[int, str]] = []
    for section in sections:
        if section.kind != _WITH_ADDENDS or section.info not in starts:
            continue
        for at, what, addend in struct.iter_unpack(
            "<QQq", object_file[section.offset : section.offset + section.size]
        ):
            place = places[what >> 32]
            if what & 0xFFFFFFFF != _WHOLE_ADDRESS:
                return None
            if isinstance(place, int):
                addresses.append((starts[section.info] + at, place + addend))
            elif _address_of(place) is not None and addend == 0:
                outside.append((starts[section.info] + at, place))
            else:
                return None
    if entry is None:
        return None
    return Image(content=bytes(content), entry=entry, addresses=tuple(addresses), outside=tuple(outside))


def can_load(image: Image) -> bool:
    """Whether this process has every function that the code calls."""
    return all(_address_of(name) is not None for _, name in image.outside)


def loaded(image: Image) -> int:
    """Put the image into memory; returns the function's address."""
    memory = mmap.mmap(-1, len(image.content), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = np.frombuffer(memory, dtype=np.uint8).ctypes.data
    memory.write(image.content)
    for at, target in image.addresses:
        memory[at : at + 8] = struct.pack("<Q", start + target)
    for at, name in image.outside:
        memory[at : at + 8] = struct.pack("<Q", _address_of(name))
    # Code that can be called cannot be written to, and the other way round.
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    if protect(ctypes.c_void_p(start), ctypes.c_size_t(len(memory)), mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        raise OSError(ctypes.get_errno(), "the system does not let this process run compiled code")
    _kept.append(memory)
    return start + image.entry


def _address_of(name: str) -> int | None:
    """Of a function that the C library has put into this process; None where there is none of that name."""
    function = getattr(ctypes.CDLL(None), name, None) if name else None
    return None if function is None else ctypes.cast(function, ctypes.c_void_p).value


@dataclass(frozen=True, slots=True)
class _Section:
    """A row of the section table, in its order."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


def _header(object_file: bytes) -> tuple[int, int, int]:
    """Where the section table begins, how long its rows are, and how many."""
    table = struct.unpack_from("<Q", object_file, 40)[0]
    size, count = struct.unpack_from("<HH", object_file, 58)
    return table, size, count
