"""One workbook in three forms: spreadsheet, TOML, JSON."""

from operator import itemgetter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles
from magellan.errors import FixInput
from magellan.regime.workbook.document import as_json, as_toml, read_document
from magellan.regime.workbook.reading import WorkbookValues, read, template_values
from magellan.regime.workbook.report import check
from magellan.regime.workbook.schema import Field, Kind, Value
from magellan.regime.workbook.sheets import SHEETS

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=30).map(str.strip)


def value_of(field: Field) -> st.SearchStrategy[Value]:
    """Anything that a field allows."""
    least, most = field.least or 0.0, field.most or 0.0
    some: st.SearchStrategy[Value]
    match field.kind:
        case Kind.BOOLEAN:
            some = st.booleans()
        case Kind.INTEGER:
            some = st.integers(int(least), int(most))
        case Kind.NUMBER:
            some = st.floats(least, most).map(
                lambda number: float(f"{number:.12g}")
            )  # as many as Excel keeps
        case Kind.CHOICE:
            some = st.sampled_from(field.options)
        case Kind.TIME:
            some = st.times().map(lambda time: f"{time:%H:%M}")
        case Kind.TEXT:
            some = TEXT.filter(lambda text: bool(text) and text not in ("TRUE", "FALSE"))
        case Kind.NUMBERS:
            some = st.lists(st.integers(int(least), int(most)), min_size=1, max_size=5).map(tuple)
        case Kind.WORDS:
            some = st.lists(st.sampled_from(field.options), min_size=1, max_size=3, unique=True).map(tuple)
    return some | st.none() if field.may_be_blank else some


@st.composite
def workbooks(draw: st.DrawFn) -> WorkbookValues:
    """The template with a few other values, anywhere."""
    template = template_values()
    changed = {name: dict(said) for name, said in template.settings.items()}
    for sheet in draw(st.lists(st.sampled_from([each for each in SHEETS if each.parameters]), max_size=8)):
        field = draw(st.sampled_from(sheet.parameters))
        changed[sheet.name][field.name] = draw(value_of(field))
    tables = {name: dict(said) for name, said in template.tables.items()}
    for sheet in draw(st.lists(st.sampled_from([each for each in SHEETS if each.tables]), max_size=3)):
        table = draw(st.sampled_from(sheet.tables))
        rows = st.fixed_dictionaries({each.name: value_of(each) for each in table.columns})
        tables[sheet.name][table.name] = tuple(
            draw(st.lists(rows, min_size=1, max_size=4, unique_by=itemgetter(table.key)))
        )
    return WorkbookValues(settings=changed, tables=tables)


@given(values=workbooks())
@settings(max_examples=15)
def test_a_workbook_says_the_same_as_toml_and_as_json(values: WorkbookValues) -> None:
    for text, name in ((as_toml(values), "a.toml"), (as_json(values), "a.json")):
        again, findings = read(read_document(text.encode(), file=name))
        assert again == values
        assert [each for each in findings if each.severity.value == "refuse"] == []


@given(values=workbooks())
@settings(max_examples=5)
def test_a_workbook_says_the_same_as_a_spreadsheet(values: WorkbookValues) -> None:
    files = ExcelWorkbookFiles()
    again, findings = read(files.parse(files.form(values, ending=".xlsx"), name="a.xlsx"))
    assert again == values
    assert [each for each in findings if each.kind != "number-as-text"] == []


@pytest.mark.parametrize("ending", [".xlsx", ".toml", ".json"])
def test_a_fresh_template_has_no_finding(ending: str, tmp_path: Path) -> None:
    files = ExcelWorkbookFiles()
    files.write(tmp_path / f"regime{ending}", template_values())
    checked = check(files.read(tmp_path / f"regime{ending}"))
    assert checked.findings == ()
    assert checked.is_usable
    assert checked.values == template_values()


def test_the_same_values_give_the_same_bytes() -> None:
    files = ExcelWorkbookFiles()
    for ending in (".xlsx", ".toml", ".json"):
        assert files.form(template_values(), ending=ending) == files.form(template_values(), ending=ending)


def test_a_form_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    files = ExcelWorkbookFiles()
    with pytest.raises(FixInput, match=r"\.xlsx, \.toml or \.json"):
        files.write(tmp_path / "regime.ods", template_values())
    with pytest.raises(FixInput, match="does not exist"):
        files.read(tmp_path / "regime.xlsx")
    (tmp_path / "regime.csv").write_text("a,b\n")
    with pytest.raises(FixInput, match="no workbook"):
        files.read(tmp_path / "regime.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.toml", b"[StabilityConfiguration\n"),
        ("a.json", b"{"),
        ("a.json", b"[]"),
        ("a.json", b"\xff\xfe"),
        ("a.json", b"[" * 100_000),
    ],
)
def test_a_broken_document_is_refused_in_words(name: str, content: bytes) -> None:
    with pytest.raises(FixInput, match=name):
        read_document(content, file=name)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b'{"StabilityConfiguration": {"stability": 0.1, "stability": 0.9}}', "'stability' stands twice"),
        ("a.json", b'{"\\ud800": 1}', "half a letter"),
        ("a.json", b'{"StabilityConfiguration": {"stability": ' + b"9" * 5000 + b"}}", "thousands of digits"),
        ("a.toml", b"[StabilityConfiguration]\nstability = " + b"9" * 5000, "thousands of digits"),
        ("a.json", b"[" * 100_000, "nested deeper"),
        ("a.toml", b"a = " + b"[" * 100_000, "nested deeper"),
        # A parser of TOML takes the square of their number: for these half an hour.
        ("a.toml", b"a." * 400_000 + b"b = 1", "more than 8 parts"),
        ("a.toml", b"[" + b"'a' . " * 100_000 + b"b]", "more than 8 parts"),
        ("a.toml", b"x = {" + b'"a".' * 100_000 + b"b = 1}", "more than 8 parts"),
        ("a.toml", b"# " + b"a" * 1_000_000, "1,000,000 at most"),
        ("a.json", b" " * 4_000_001, "4,000,000 at most"),
    ],
)  # fmt: skip
def test_a_hostile_document_is_refused_before_it_costs_anything(
    name: str, content: bytes, words: str
) -> None:
    with pytest.raises(FixInput, match=words):
        read_document(content, file=name)


@pytest.mark.parametrize(
    "content",
    [
        b'[Summary]\ntitle = "a.b.c.d.e.f.g.h.i.j"  # k.l.m.n.o.p.q.r.s.t\n',
        b'[Summary]\ntitle = """\na.b.c.d.e.f.g.h.i.j"""\n',
        b"[Summary]\ntitle = 'a.b.c.d.e.f.g.h.i.j'\n",
    ],
)
def test_dots_in_words_are_no_parts_of_a_name(content: bytes) -> None:
    found = read_document(content, file="a.toml")
    assert str(found.sheets["Summary"].settings["title"].value.value).strip() == "a.b.c.d.e.f.g.h.i.j"
