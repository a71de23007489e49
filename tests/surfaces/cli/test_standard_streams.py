"""Standard streams: what we say arrives, whatever takes it down."""

import io
import json

import pytest

from magellan.surfaces.cli import standard_streams
from magellan.surfaces.cli.standard_streams import make_writable


def written(text: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    make_writable()
    stream.write(text)
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_a_sign_is_never_lost_to_an_old_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = written("return −8.4\xa0%", encoding, monkeypatch)
    assert loss.replace("−", "-").replace("\xa0", " ") == "return -8.4 %"


def test_lines_of_tables_stay_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written("─┼─", "ascii", monkeypatch) == "---"


def test_other_letters_become_their_numbers_and_json_stays_json(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "Größe 大 🎈"
    assert written(path, "ascii", monkeypatch) == "Gr\\u00f6\\u00dfe \\u5927 \\ud83c\\udf88"
    assert json.loads(written(json.dumps(path, ensure_ascii=False), "ascii", monkeypatch)) == path


def test_a_name_that_is_no_text_can_still_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written("odd\udcff.csv", "utf-8", monkeypatch) == "odd\\udcff.csv"


def test_a_stream_that_was_closed_swallows_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    make_writable()
    assert standard_streams.sys.stderr.write("nobody reads this") > 0
    standard_streams.sys.stderr.close()
