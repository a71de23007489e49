"""Workbooks that are not what they seem are refused in under a second, and the process that reads them lives on."""

import io
import json
import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from magellan.adapters.excel.guarded_archive import COLUMNS_MAX, ROWS_MAX, guarded
from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles
from magellan.errors import FixInput
from magellan.regime.workbook.reading import template_values

FUZZED = int(os.environ.get("MAGELLAN_WORKBOOK_FUZZ", "60"))
SECONDS_MAX = 1.0
SHEET = "xl/worksheets/sheet1.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def parts_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(parts: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return target.getvalue()


@pytest.fixture(scope="module")
def template() -> bytes:
    return ExcelWorkbookFiles().form(template_values(), ending=".xlsx")


def with_part(name: str, part: bytes) -> Callable[[bytes], bytes]:
    return lambda template: archive_of({**parts_of(template), name: part})


def with_cells(cells: str, prefix: str = "") -> Callable[[bytes], bytes]:
    colon = f"{prefix}:" if prefix else ""
    space = f'xmlns:{prefix}="{MAIN}"' if prefix else f'xmlns="{MAIN}"'
    tag = f"{colon}worksheet"
    return with_part(SHEET, f"<{tag} {space}><{colon}sheetData>{cells}</{colon}sheetData></{tag}>".encode())


def lying_about_its_size(template: bytes) -> bytes:
    """Both headers of the first sheet claim that it unpacks to four bytes."""
    honest = archive_of({**parts_of(template), SHEET: b" " * 200_000_000})
    with zipfile.ZipFile(io.BytesIO(honest)) as archive:
        info = archive.getinfo(SHEET)
        size, at = info.file_size.to_bytes(4, "little"), info.header_offset
    lying = bytearray(honest)
    lying[at + 22 : at + 26] = (4).to_bytes(4, "little")
    directory = honest.rindex(SHEET.encode())
    found = honest.index(size, directory - 46)
    lying[found : found + 4] = (4).to_bytes(4, "little")
    return bytes(lying)


def encrypted(template: bytes) -> bytes:
    """With the flag that says so on every entry."""
    flagged = bytearray(template)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := flagged.find(mark, at + 1)) >= 0:
            flagged[at + offset] |= 1
    return bytes(flagged)


def doubled(template: bytes) -> bytes:
    target = io.BytesIO(template)
    with zipfile.ZipFile(target, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(SHEET, b"<worksheet/>")
    return target.getvalue()


def text_cell(reference: str) -> str:
    return f'<c r="{reference}" t="str"><v>x</v></c>'


HOSTILE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    # what it is: (what is told, how it is made)
    "a cell in the far corner": (
        "reaches row 1,048,576",
        with_cells(f'<row r="1">{text_cell("A1")}</row><row r="1048576">{text_cell("XFD1048576")}</row>'),
    ),
    "a cell in the far corner, in another name space": (
        "reaches row 1,048,576",
        with_cells('<x:row r="1048576"><x:c r="XFD1048576"><x:v>1</x:v></x:c></x:row>', prefix="x"),
    ),
    "a cell in the far corner, in single quotes": (
        "reaches row 900,000",
        with_cells("<row r='900000'><c r='A900000'><v>1</v></c></row>"),
    ),
    "a cell in the far corner, with a reference in code": (
        "reaches row 1,048,576",
        with_cells('<row><c r="&#88;FD1048576"><v>1</v></c></row>'),
    ),
    "a cell in the far corner, in two bytes a letter": (
        "not text in UTF-8",
        lambda template: with_part(
            SHEET, parts_of(with_cells('<row><c r="XFD1048576"/></row>')(template))[SHEET].decode().encode("utf-16")
        )(template),
    ),
    "a million rows without a number": (f"reaches row {ROWS_MAX + 1:,}", with_cells("<row/>" * 1_000_000)),
    "one row too many": (
        f"reaches row {ROWS_MAX + 1:,}",
        with_cells(f'<row r="{ROWS_MAX + 1}">{text_cell(f"A{ROWS_MAX + 1}")}</row>'),
    ),
    "one column too many": (
        f"column {COLUMNS_MAX + 1}", with_cells(f'<row r="1">{text_cell("BM1")}</row>'),
    ),
    "a zip bomb": ("unpacks to more than", with_part(SHEET, b" " * 200_000_000)),
    "a zip bomb that lies about its size": ("refused", lying_about_its_size),
    "a bomb of entities": (
        "declares entities",
        with_part("xl/sharedStrings.xml", b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><sst>&b;</sst>'),
    ),
    "2,000 parts": (
        "parts", lambda template: archive_of({**parts_of(template), **{f"xl/{at}.xml": b"" for at in range(2000)}}),
    ),
    "300 sheets": (
        "sheets",
        lambda template: archive_of(
            {**parts_of(template), **{f"xl/worksheets/more{at}.xml": b"<worksheet/>" for at in range(300)}}
        ),
    ),
    "macros": ("macros", with_part("xl/vbaProject.bin", b"\x00")),
    "links to other files": ("links to other files", with_part("xl/externalLinks/externalLink1.xml", b"<x/>")),
    "a sheet that is there twice": ("twice", doubled),
    "encrypted parts": ("encrypted", encrypted),
    "a password": ("encrypted", lambda template: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096)),
    "cut off": ("damaged", lambda template: template[: len(template) // 2]),
    "its directory cut off": ("damaged", lambda template: template[:-10]),
    "empty": ("damaged", lambda template: b""),
    "text": ("damaged", lambda template: b"Parameter,Value\nstability,0.5\n"),
    "another archive": ("holds no workbook", lambda template: archive_of({"hello.txt": b"hello"})),
    "a sheet that is no XML": ("damaged", with_part(SHEET, b"<worksheet><sheetData><row><c r='A1'")),
    "larger than is allowed": ("bytes", lambda template: template + bytes(10_000_001)),
}  # fmt: skip


def test_hostile_workbooks_are_refused_in_time_and_the_process_lives_on(
    template: bytes, tmp_path: Path
) -> None:
    for at, (_, make) in enumerate(HOSTILE.values()):
        (tmp_path / f"{at:02d}.xlsx").write_bytes(make(template))
    told = checked_apart(tmp_path)
    assert len(told) == len(HOSTILE)
    for (what, (expected, _)), (name, message, took_s) in zip(HOSTILE.items(), told, strict=True):
        assert expected in message and name in message, (what, message)
        assert took_s < SECONDS_MAX, (what, took_s)


def test_spoilt_workbooks_are_read_or_refused_and_nothing_else(template: bytes, tmp_path: Path) -> None:
    """MAGELLAN_WORKBOOK_FUZZ=2000 looks longer."""
    for seed, content in enumerate(spoilt(template, FUZZED)):
        (tmp_path / f"{seed:05d}.xlsx").write_bytes(content)
    told = checked_apart(tmp_path)
    assert len(told) == FUZZED
    assert max(took_s for _, _, took_s in told) < SECONDS_MAX


def test_a_workbook_of_the_largest_extent_is_read(template: bytes) -> None:
    cells = with_cells(f'<row r="{ROWS_MAX}">{text_cell(f"BL{ROWS_MAX}")}</row>')
    assert guarded(cells(template), name="large.xlsx").content


def test_a_refusal_says_what_to_do(template: bytes) -> None:
    with pytest.raises(FixInput) as refused:
        guarded(with_part("xl/vbaProject.bin", b"\x00")(template), name="a.xlsx")
    assert refused.value.next_step == "save it as .xlsx, without macros"
    assert refused.value.kept == "nothing was read from it"


def checked_apart(folder: Path) -> list[tuple[str, str, float]]:
    """(name, what was told, seconds) of every file of the folder, from a process of its own."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("hostile.py"), folder],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "panicked" not in done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def spoilt(template: bytes, number: int) -> Iterator[bytes]:
    parts = parts_of(template)
    names = [name for name in parts if name.endswith((".xml", ".rels")) and "drawing" not in name]
    for seed in range(number):
        chance = random.Random(seed)
        if seed % 3 == 0:
            whole = bytearray(template)
            for _ in range(chance.choice((1, 5, 50))):
                whole[chance.randrange(len(whole))] = chance.randrange(256)
            yield bytes(whole[: chance.choice((len(whole), chance.randrange(len(whole))))])
            continue
        name = chance.choice(names)
        part = bytearray(parts[name])
        for _ in range(chance.choice((1, 3, 20))):
            at = chance.randrange(len(part))
            piece = chance.choice(
                (b"", b'"', b"<", b"9999999", b'r="ZZZ1"', b't="s"', b"</row>", bytes(part[at : at + 40]))
            )
            part[at : at + chance.randrange(20)] = piece
        yield archive_of({**parts, name: bytes(part)})
