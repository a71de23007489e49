"""HTML: small pieces of markup. Text that comes from outside is escaped here and nowhere else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal


class Markup(str):
    """Text that is HTML already. Everything else is escaped when it enters an element."""

    __slots__ = ()


Content = str | Markup | Iterable["str | Markup"]

_VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta"})  # elements without an end


def escaped(content: Content) -> Markup:
    """Content as markup; plain strings lose their special meaning."""
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(html.escape(content, quote=True))
    return Markup("".join(escaped(each) for each in content))


def element(name: str, content: Content = "", /, **attributes: str | None) -> Markup:
    """`element("p", "a < b", class_="note")`; None leaves an attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value, quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        assert not content, f"<{name}> holds nothing"
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{escaped(content)}</{name}>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table: its heading, and what stands in it."""

    heading: str
    kind: Literal["text", "number"] = "text"
    hint: str = ""  # shown when the pointer rests on the heading


Row = Sequence[Content]


def table(columns: Sequence[Column], rows: Sequence[Row]) -> Markup:
    """A table that scrolls sideways on a narrow screen; the first cell of each row is its heading."""
    return grouped_table(columns, {"": rows})


def grouped_table(columns: Sequence[Column], groups: Mapping[str, Sequence[Row]]) -> Markup:
    """The same with headings between groups of rows; a group named "" has none."""
    head = element(
        "tr",
        [
            element("th", column.heading, scope="col", class_=_kind(column), title=column.hint or None)
            for column in columns
        ],
    )
    bodies = []
    for name, rows in groups.items():
        lines = [_line(columns, row) for row in rows]
        if name:
            heading = element("th", name, scope="colgroup", colspan=str(len(columns)), class_="group")
            lines.insert(0, element("tr", heading))
        bodies.append(element("tbody", lines))
    return element("div", element("table", [element("thead", head), *bodies]), class_="scroll", tabindex="0")


def _line(columns: Sequence[Column], row: Row) -> Markup:
    assert len(row) == len(columns), f"{len(row)} cells in a row of {len(columns)} columns"
    first = element("th", row[0], scope="row", class_=_kind(columns[0]))
    others = [
        element("td", cell, class_=_kind(column)) for cell, column in zip(row[1:], columns[1:], strict=True)
    ]
    return element("tr", [first, *others])


def _kind(column: Column) -> str | None:
    return "number" if column.kind == "number" else None


def facts(pairs: Iterable[tuple[Content, Content]], *, wide: bool = False) -> Markup:
    """A list of names and values; `wide` gives each a line of its own, for long values."""
    return element(
        "dl",
        [element("div", [element("dt", name), element("dd", value)]) for name, value in pairs],
        class_="facts wide" if wide else "facts",
    )


def tone(value: float | None, text: str) -> Markup:
    """A number coloured by its sign; the sign itself stays in the text."""
    if value is None or value == 0:
        return escaped(text)
    return element("span", text, class_="gain" if value > 0 else "loss")


def card(name: str, *content: Markup) -> Markup:
    """A named part of a page, in a frame of its own."""
    return element("div", [element("h3", name), *content], class_="card")
