"""The config of the regime model: read, checked, changed as a plan, taken back."""

import json
from typing import Any

import pytest

from magellan.regime.workbook.document import as_document
from magellan.regime.workbook.reading import template_values
from magellan.usecases.regime_settings import REGIME_FILE

CONFIG = "/api/market-regime/config"


def changed(stability: float) -> Any:
    document = json.loads(json.dumps(as_document(template_values())))
    document["StabilityConfiguration"]["stability"] = stability
    return document


def etag(server: Any) -> str:
    tag: str = server.ask(CONFIG).headers["ETag"]
    return tag


def test_a_config_that_has_not_changed_is_not_sent_again(server: Any) -> None:
    told = server.ask(CONFIG, headers={"If-None-Match": etag(server)})
    assert (told.status, told.body) == (304, b"")


def test_a_mistake_in_an_uploaded_workbook_is_answered_with_its_cell(server: Any) -> None:
    body = json.dumps(changed(7)).encode()
    found = server.data(f"{CONFIG}/check", method="POST", body=body)
    assert found["usable"] is False
    assert (found["findings"][0]["sheet"], found["findings"][0]["cell"]) == (
        "StabilityConfiguration",
        "stability",
    )


def test_the_template_that_is_downloaded_passes_the_check(server: Any) -> None:
    told = server.ask(f"{CONFIG}/template.xlsx")
    checked = server.data(
        f"{CONFIG}/check",
        method="POST",
        body=told.body,
        headers={"Content-Type": told.headers["Content-Type"]},
    )
    assert checked["usable"] is True and checked["findings"] == []


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"not a workbook", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 422),
        (b"{", "application/json", 422),
        (b"<xml/>", "text/xml", 415),
        (b"", "application/json", 422),
    ],
)
def test_what_is_no_workbook_is_refused(content: bytes, kind: str, status: int, server: Any) -> None:
    told = server.ask(f"{CONFIG}/check", method="POST", body=content, headers={"Content-Type": kind})
    assert told.status == status and told.json["fix"]


def test_a_change_of_the_config_is_shown_tried_made_and_taken_back(server: Any) -> None:
    file = server.desk.workspace.root / REGIME_FILE
    before = etag(server)
    plan = server.data(CONFIG, method="POST", body=changed(0.9))
    assert [(each["what"], each["after"]) for each in plan["differences"]] == [("stability", "0.9")]
    assert "would be done" in plan["steps"] and not file.exists()
    done = server.data(
        f"{CONFIG}?dry_run=false",
        method="POST",
        body=changed(0.9),
        headers={"If-Match": before, "X-Reason": "calmer"},
    )
    assert file.exists() and etag(server) == f'"{done["would_be"]}"' != before
    assert server.data(CONFIG)["StabilityConfiguration"]["stability"] == 0.9
    assert server.desk.regime_config().decision.stability == 0.9
    undone = server.data(f"{CONFIG}/undo/{done['journal']}", method="POST")
    assert not file.exists() and etag(server) == before == f'"{undone["would_be"]}"'
    kept = [each for each in server.data("/api/audit?last=1000") if each["action"] == "regime config"]
    assert kept[-4]["why"] == "calmer" and [each["result"] for each in kept[-2:]] == ["begun", "taken back"]


def test_a_file_that_was_there_comes_back_byte_for_byte(workspace: Any, serve: Any) -> None:
    mine = b"# mine\n[decision]\nstability = 0.25\n"
    (workspace / REGIME_FILE).write_bytes(mine)
    server = serve(workspace)
    assert server.data(CONFIG)["StabilityConfiguration"]["stability"] == 0.25
    done = server.data(
        f"{CONFIG}?dry_run=false", method="POST", body=changed(0.9), headers={"If-Match": etag(server)}
    )
    assert (workspace / REGIME_FILE).read_bytes() != mine
    server.data(f"{CONFIG}/undo/{done['journal']}", method="POST")
    assert (workspace / REGIME_FILE).read_bytes() == mine


def test_a_change_of_a_config_that_somebody_else_has_changed_is_refused(server: Any) -> None:
    told = server.ask(f"{CONFIG}?dry_run=false", method="POST", body=changed(0.9))
    assert (told.status, told.json["code"]) == (428, "no-etag")
    told = server.ask(
        f"{CONFIG}?dry_run=false", method="POST", body=changed(0.9), headers={"If-Match": '"old"'}
    )
    assert (told.status, told.json["code"]) == (412, "old-etag")
    assert not (server.desk.workspace.root / REGIME_FILE).exists()


def test_a_config_that_cannot_be_used_is_never_put_in_force(server: Any) -> None:
    told = server.ask(
        f"{CONFIG}?dry_run=false", method="POST", body=changed(7), headers={"If-Match": etag(server)}
    )
    assert told.status == 422 and "StabilityConfiguration!stability" in told.json["detail"]
    assert told.json["kept"] == "the config in force"


def put(server: Any, stability: float) -> str:
    """The journal of a change that was made."""
    done = server.data(
        f"{CONFIG}?dry_run=false", method="POST", body=changed(stability), headers={"If-Match": etag(server)}
    )
    return str(done["journal"])


def taken_back(server: Any, journal: str) -> Any:
    return server.ask(f"{CONFIG}/undo/{journal}", method="POST")


def test_changes_are_taken_back_the_newest_first_and_another_order_changes_nothing(
    workspace: Any, serve: Any
) -> None:
    server = serve(workspace)
    before = etag(server)
    first, second, third = put(server, 0.1), put(server, 0.2), put(server, 0.1)
    in_force = etag(server)
    for journal in (first, second):
        told = taken_back(server, journal)
        assert told.status == 409 and third in told.json["fix"]
    assert etag(server) == in_force
    # What was refused stands in the way of nothing.
    for journal in (third, second, first):
        assert taken_back(server, journal).status == 200
    assert etag(server) == before
    again = taken_back(server, first)
    assert again.status == 422 and "taken back already" in again.json["detail"]


def test_a_change_is_not_taken_back_over_what_somebody_wrote_by_hand(workspace: Any, serve: Any) -> None:
    server = serve(workspace)
    journal, file = put(server, 0.1), workspace / REGIME_FILE
    wrote = file.read_bytes()
    file.write_bytes(wrote + b"# mine\n")
    told = taken_back(server, journal)
    assert told.status == 409 and "somebody has edited it" in told.json["detail"]
    assert file.read_bytes() == wrote + b"# mine\n"
    file.write_bytes(wrote)
    assert taken_back(server, journal).status == 200 and not file.exists()


def test_a_change_that_nobody_made_is_not_there(server: Any) -> None:
    for journal in ("nothing", "..", "20260120T143100000000Z-deploy-moods-to-prod"):
        told = taken_back(server, journal)
        assert (told.status, told.json["code"]) == (404, "change-not-found")


def test_a_change_that_was_killed_in_between_is_brought_to_its_end_by_the_next_one(
    workspace: Any, serve: Any
) -> None:
    server = serve(workspace)
    before = etag(server)
    journal = put(server, 0.1)
    # As a killed server leaves it: the intent is written down, and nothing after it; the file is not there yet.
    finished = workspace / ".magellan/journals/finished" / f"{journal}.journal"
    killed = workspace / ".magellan/journals" / finished.name
    finished.rename(killed)
    killed.chmod(0o644)
    killed.write_bytes(b"".join(killed.read_bytes().splitlines(keepends=True)[:2]))
    (workspace / REGIME_FILE).unlink()
    assert etag(server) == before
    told = server.ask(
        f"{CONFIG}?dry_run=false", method="POST", body=changed(0.2), headers={"If-Match": before}
    )
    assert (told.status, told.json["code"]) == (412, "old-etag")
    assert server.data(CONFIG)["StabilityConfiguration"]["stability"] == 0.1
    second = put(server, 0.2)
    for each in (second, journal):
        assert taken_back(server, each).status == 200
    assert etag(server) == before


@pytest.mark.parametrize(
    ("given", "status"),
    [("{tag}", 304), ("W/{tag}", 304), ('"x", {tag}', 304), ("*", 304), ('"x"', 200), ("nonsense", 200)],
)
def test_a_config_is_asked_for_by_tags_as_http_writes_them(given: str, status: int, server: Any) -> None:
    told = server.ask(CONFIG, headers={"If-None-Match": given.format(tag=etag(server))})
    assert told.status == status


def test_a_weak_tag_changes_nothing(server: Any) -> None:
    told = server.ask(
        f"{CONFIG}?dry_run=false", method="POST", body=changed(0.9), headers={"If-Match": f"W/{etag(server)}"}
    )
    assert (told.status, told.json["code"]) == (412, "old-etag")


def test_a_reason_is_recorded_in_the_letters_that_it_was_sent_in(server: Any) -> None:
    reason = "Prüfung".encode().decode("latin-1")  # as a library sends the bytes of UTF-8
    server.ask(CONFIG, method="POST", body=changed(0.9), headers={"X-Reason": reason})
    assert server.data("/api/audit?last=1")[0]["why"] == "Prüfung"
