"""What a workbook may say: sheets of settings and of tables, each value with its type, range, unit and meaning.

Template, reader, JSON Schema, reference page, difference and the TOML and JSON forms are all made from these values.
A thing is said in one place. What the older layout, version 4.0.0, says a second time or in another place is `Moved`;
what nothing should say is `Withdrawn`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...] | None  # None: left blank, where that has a meaning


class Kind(Enum):
    """The type of a value."""

    BOOLEAN = "true or false"
    INTEGER = "a whole number"
    NUMBER = "a number"
    CHOICE = "a choice"
    TEXT = "text"
    TIME = "a time of day, HH:MM"
    WORDS = "words, separated by commas"
    NUMBERS = "numbers, separated by commas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter of a sheet of settings, or a column of a table."""

    name: str
    kind: Kind
    meaning: str
    default: Value = None  # of a parameter; columns have none: the table's rows say it
    least: float | None = None
    most: float | None = None  # of a TEXT: how long it may be
    options: tuple[str, ...] = ()  # of a CHOICE, or of each of some WORDS
    unit: str = ""
    may_be_blank: bool = False
    reads: str = (
        ""  # the value of the regime config that this one becomes, for example "decision.cooldown_bars"
    )
    scale: float = 1.0  # of a number: what it is multiplied with to become that value
    on_import: str = ""  # what has to be known when version 4.0.0 gave the value, for example another unit

    @property
    def allowed(self) -> str:
        """What may stand there, in words."""
        if self.options:
            said = "any of " * (self.kind is Kind.WORDS) + ", ".join(self.options)
        elif self.kind is Kind.TEXT and self.most is not None:
            said = f"text of {self.most:g} letters at most"
        elif self.least is not None and self.most is not None:
            what = {Kind.INTEGER: "whole, ", Kind.NUMBERS: "each "}.get(self.kind, "")
            said = f"{what}{self.least:g} to {self.most:g}"
        else:
            said = self.kind.value
        return f"{said}, or blank" if self.may_be_blank else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Rows of parameter and value."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of the same columns."""

    name: str  # within its sheet, for example "regimes"
    title: str  # above it in the sheet
    columns: tuple[Field, ...]
    key: str  # the column that no two rows share
    rows: tuple[tuple[Value, ...], ...]  # of the template
    reads: str = ""  # what of the regime config is made of the rows
    dropped_columns: tuple[str, ...] = ()  # of version 4.0.0, without a successor


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A parameter of version 4.0.0 that is said elsewhere now."""

    name: str
    to: str  # "Sheet.parameter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A parameter of version 4.0.0 that nothing should say."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sheet."""

    name: str
    about: str
    settings: Settings | None = None
    tables: tuple[Table, ...] = ()
    unused: str = ""  # why nothing reads the fields that read nothing; "" where all are read
    moved: tuple[Moved, ...] = ()
    withdrawn: tuple[Withdrawn, ...] = ()

    @property
    def parameters(self) -> tuple[Field, ...]:
        """Its settings."""
        return () if self.settings is None else self.settings.fields

    def table(self, name: str) -> Table:
        """The table of that name."""
        return next(each for each in self.tables if each.name == name)

    def fields(self) -> Iterator[tuple[str, Field]]:
        """Every parameter and column, with the name of its table; "" for settings."""
        yield from (("", each) for each in self.parameters)
        for table in self.tables:
            yield from ((table.name, each) for each in table.columns)


def boolean(name: str, default: bool, meaning: str, *, reads: str = "") -> Field:
    """A switch."""
    return Field(name=name, kind=Kind.BOOLEAN, default=default, meaning=meaning, reads=reads)


def integer(
    name: str,
    default: int | None,
    least: int,
    most: int,
    unit: str,
    meaning: str,
    *,
    reads: str = "",
    on_import: str = "",
) -> Field:
    """A whole number; without a default it may be left blank."""
    return Field(
        name=name, kind=Kind.INTEGER, default=default, least=least, most=most, unit=unit, meaning=meaning,
        may_be_blank=default is None, reads=reads, on_import=on_import,
    )  # fmt: skip


def number(
    name: str,
    default: float | None,
    least: float,
    most: float,
    unit: str,
    meaning: str,
    *,
    reads: str = "",
    scale: float = 1.0,
    on_import: str = "",
) -> Field:
    """A number; without a default it may be left blank."""
    return Field(
        name=name, kind=Kind.NUMBER, default=default, least=least, most=most, unit=unit, meaning=meaning,
        may_be_blank=default is None, reads=reads, scale=scale, on_import=on_import,
    )  # fmt: skip


def choice(name: str, default: str, options: str, meaning: str, *, reads: str = "") -> Field:
    """One of a few words, given in one string with blanks between them."""
    return Field(
        name=name, kind=Kind.CHOICE, default=default, options=tuple(options.split()), meaning=meaning, reads=reads
    )  # fmt: skip


def text(name: str, default: str | None, meaning: str, *, reads: str = "") -> Field:
    """Free text; without a default it may be left blank."""
    return Field(
        name=name, kind=Kind.TEXT, default=default, meaning=meaning, reads=reads, may_be_blank=default is None
    )


def time_of_day(name: str, default: str, meaning: str) -> Field:
    """A time of day on the exchange's clock."""
    return Field(name=name, kind=Kind.TIME, default=default, meaning=meaning)


def words(name: str, default: tuple[str, ...], meaning: str) -> Field:
    """A list of words."""
    return Field(name=name, kind=Kind.WORDS, default=default, meaning=meaning)


def numbers(
    name: str,
    default: tuple[float, ...],
    least: float,
    most: float,
    unit: str,
    meaning: str,
    *,
    reads: str = "",
) -> Field:
    """A list of numbers, each in the range."""
    return Field(
        name=name, kind=Kind.NUMBERS, default=default, least=least, most=most, unit=unit, meaning=meaning, reads=reads
    )  # fmt: skip


def column(
    name: str,
    kind: Kind,
    meaning: str,
    *,
    least: float | None = None,
    most: float | None = None,
    options: str = "",
    unit: str = "",
    may_be_blank: bool = False,
    reads: str = "",
) -> Field:
    """A column of a table."""
    return Field(
        name=name, kind=kind, meaning=meaning, least=least, most=most, options=tuple(options.split()), unit=unit,
        may_be_blank=may_be_blank, reads=reads,
    )  # fmt: skip


def settings(*fields: Field) -> Settings:
    """The settings of a sheet."""
    return Settings(fields=fields)
