"""What the API answers."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles
from magellan.ports.api_tokens import Scope
from magellan.regime.workbook.document import as_document
from magellan.regime.workbook.reading import template_values
from magellan.surfaces.http.app import create_app
from magellan.usecases.regime_settings import REGIME_FILE

CONFIG = "/api/market-regime/config"
READS = [
    "/api/health", "/api/ready", "/api/summary", "/api/accounts", "/api/strategies", "/api/runs", "/api/gates",
    "/api/releases", "/api/deployments", "/api/audit", "/api/audit/verify", "/api/jobs", "/api/market-regime/known",
    "/api/market-regime/evaluate", CONFIG, f"{CONFIG}/schema",
]  # fmt: skip


def ended(server: Any, job: Any) -> Any:
    """The job, when it has ended."""
    until_s = time.monotonic() + 240  # the first run of a version compiles
    while job["state"] in ("waiting", "running"):
        assert time.monotonic() < until_s, job
        pause()
        job = server.data(f"/api/jobs/{job['job_id']}")
    return job


def pause() -> None:
    """Lets the server's threads work between two questions."""
    time.sleep(0.02)


@pytest.mark.parametrize("path", READS)
def test_incident_24_every_answer_says_where_it_is_from_and_how_old_it_is(path: str, server: Any) -> None:
    told = server.ask(path)
    assert told.status == 200, told.body
    assert set(told.json) == {"source", "as_of", "age_s", "data"}
    assert told.json["source"]
    assert (told.json["as_of"] is None) == (told.json["age_s"] is None)
    assert told.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/nonsense", 404, "not-found"),
        ("/api/runs/none0", 404, "run-not-found"),
        ("/api/jobs/0000000000000000", 404, "not-found"),
        ("/api/market-regime/status?symbol=NOTHING", 404, "set-not-found"),
        ("/api/market-regime/status", 422, "malformed-request"),
        ("/api/market-regime/status?symbol=ANCHOR&timeframe=7Parsecs", 422, "malformed-request"),
        ("/api/account?account=nobody", 422, "fix-input"),
        ("/api/runs?last=0", 422, "malformed-request"),
    ],
)
def test_a_failure_says_what_happened_and_what_to_do(path: str, status: int, code: str, server: Any) -> None:
    told = server.ask(path)
    assert (told.status, told.json["code"]) == (status, code)
    assert told.headers["Content-Type"] == "application/problem+json"
    assert told.json["status"] == status and told.json["detail"] and told.json["fix"]


def test_a_strategy_is_one_of_the_workspaces_and_never_a_path(server: Any) -> None:
    path = str(server.desk.workspace.root / "dev" / "moods")
    for name in (path, "../desk/dev/moods", "moods/.."):
        told = server.ask("/api/backtests", method="POST", body={"strategy": name})
        assert (told.status, told.json["code"]) == (404, "not-found")


def test_a_backtest_is_started_watched_and_kept(server: Any) -> None:
    job = ended(server, server.data("/api/backtests", method="POST", body={"strategy": "moods"}))
    assert job["state"] == "done", job
    assert job["asked_by"] == "tests" and job["subject"] == "dev/moods"
    run = server.data(f"/api/runs/{job['result']['run_id']}")
    assert len(run["trades"]) == job["result"]["trades"]
    assert server.data("/api/runs")[0]["run_id"] == run["run_id"]
    assert server.data("/api/summary")["newest_runs"][0]["run_id"] == run["run_id"]


def test_a_backtest_that_cannot_run_says_why(server: Any) -> None:
    wanted = {"strategy": "moods", "symbols": ["NOTHING"]}
    job = ended(server, server.data("/api/backtests", method="POST", body=wanted))
    assert job["state"] == "failed"
    assert "NOTHING" in job["error"] and job["fix"]


def test_a_regime_is_read_with_its_reasons_and_its_history_ends_with_it(server: Any) -> None:
    reading = server.data("/api/market-regime/status?symbol=anchor")
    assert reading["symbol"] == "ANCHOR"
    assert {each["axis"] for each in reading["axes"]} == {"volatility", "trend", "structure"}
    assert reading["evidence"]
    page = server.data("/api/market-regime/history?symbol=ANCHOR&count=3")
    assert len(page["labels"]) == 3 and page["first"] == page["bars"] - 3
    assert page["labels"][-1]["regime"] == reading["regime"]
    assert page["labels"][-1]["opened_at"] == reading["bar_opened_at"]
    assert "ANCHOR" in [each["symbol"] for each in server.data("/api/summary")["regimes"]]


@pytest.mark.parametrize(
    ("quick", "ordinary"),
    [
        ("/api/market-regime/status?symbol=ANCHOR", "/api/market-regime/status?timeframe=1Day&symbol=ANCHOR"),
        (CONFIG, f"{CONFIG}?"),
        (CONFIG, f"{CONFIG}?nothing=1"),
    ],
)
def test_the_quick_way_and_the_ordinary_one_answer_the_same(quick: str, ordinary: str, server: Any) -> None:
    server.data("/api/market-regime/status?symbol=ANCHOR")  # from now on it is quick
    one, other = server.ask(quick), server.ask(ordinary)
    assert one.json["data"] == other.json["data"] and one.json["source"] == other.json["source"]
    unlike = {"Date", "Content-Length"}
    assert {each for each in one.headers.items() if each[0].title() not in unlike} == {
        each for each in other.headers.items() if each[0].title() not in unlike
    }
    for token in (None, "wrong", server.scoped(Scope.RESEARCH)):
        assert server.ask(quick, token=token).status == server.ask(ordinary, token=token).status >= 401


def test_an_analysis_is_a_job_with_a_result(server: Any) -> None:
    wanted = {"symbol": "ANCHOR", "timeframe": "1Day", "others": ["BRIDGE"]}
    job = ended(server, server.data("/api/market-regime/analyze", method="POST", body=wanted))
    assert job["state"] == "done", job
    assert job["result"]["symbol"] == "ANCHOR"
    (correlation,) = [each for each in job["result"]["now"]["evidence"] if each["component"] == "correlation"]
    assert correlation["value"] is not None, "BRIDGE was taken beside it"
    assert server.data(f"/api/market-regime/jobs/{job['job_id']}")["state"] == "done"


def test_labels_are_evaluated_on_scenarios_where_no_market_is_named(server: Any) -> None:
    wanted = {"scenarios": ["vol2"], "seeds": 1}
    job = ended(server, server.data("/api/market-regime/evaluate", method="POST", body=wanted))
    assert (job["state"], job["subject"]) == ("done", "vol2"), job
    (report,) = job["result"]
    assert report["name"] == "vol2" and 0.9 < report["dial"][0]["share_of_oracle"] < 1.1
    assert server.data("/api/market-regime/evaluate")[0]["job_id"] == job["job_id"]


def test_the_gates_are_asked_and_their_verdict_is_kept(workspace: Any, serve: Any) -> None:
    server = serve(workspace)
    told = server.ask("/api/gates/verdict?strategy=moods")
    assert told.status == 404 and told.json["fix"] == "ask them with POST /api/gates"
    job = ended(server, server.data("/api/gates", method="POST", body={"strategy": "moods"}))
    assert (job["state"], job["subject"], job["kind"]) == ("done", "dev/moods", "gate"), job
    verdict = server.data("/api/gates/verdict?strategy=moods")
    assert verdict == job["result"] and verdict["answer"] == "shut"
    shut = [each["name"] for each in verdict["criteria"] if each["answer"] != "open"]
    assert server.data("/api/gates")[0]["not_open"] == shut != []


def test_a_job_can_be_cancelled(server: Any) -> None:
    job = server.data("/api/market-regime/evaluate", method="POST", body={"symbol": "ANCHOR"})
    assert server.data(f"/api/market-regime/jobs/{job['job_id']}", method="DELETE")["job_id"] == job["job_id"]
    assert ended(server, job)["state"] == "cancelled"


def test_a_halt_without_an_account_is_refused_and_says_why(server: Any) -> None:
    told = server.ask("/api/halt", method="POST", body={"reason": "the feed looks wrong"})
    assert (told.status, told.json["code"]) == (422, "fix-input")
    assert server.ask("/api/halt", method="POST", body={"reason": " "}).status == 422
    assert server.ask("/api/halt", method="POST", body={}).status == 422


def test_an_account_is_halted_and_resumed_with_person_and_reason(workspace: Any, serve: Any) -> None:
    with open(workspace / "magellan.toml", "a") as settings:
        settings.write('\n[accounts.desk]\nbroker = "alpaca"\nkind = "paper"\nnumber = "PA1"\n')
    server = serve(workspace)
    asked = {"account": "desk", "reason": "the feed looks wrong", "by": "jane"}
    assert server.data("/api/halt", method="POST", body=asked)["acted"] == "ledger"
    safety = server.data("/api/breakers?account=desk")
    assert safety["halted_by"] == "jane (token tests)"
    assert safety["halted_because"] == "the feed looks wrong"
    assert "is halted" in server.data("/api/summary")["needs_attention"][0]
    server.data("/api/resume", method="POST", body=asked)
    assert server.data("/api/breakers?account=desk")["switch"] == "running"


# The config of the regime model


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


# The live stream


def test_a_stream_tells_the_reading_at_once(server: Any) -> None:
    told = server.ask("/api/market-regime/stream?symbol=ANCHOR&count=1")
    assert told.headers["Content-Type"].startswith("text/event-stream")
    event, data = told.body.decode().strip().split("\n")
    assert event == "event: reading"
    assert json.loads(data.removeprefix("data: "))["data"]["symbol"] == "ANCHOR"


def in_a_socket(server: Any, first: Any) -> tuple[Any, int | None]:
    """The first message of a WebSocket, or with what it was closed."""

    async def talk() -> tuple[Any, int | None]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{server.url}/api/market-regime/ws") as ws,
        ):
            await ws.send_json(first)
            message = await ws.receive(timeout=30)
            if message.type is aiohttp.WSMsgType.TEXT:
                return json.loads(message.data), None
            return None, ws.close_code

    return asyncio.run(talk())


def test_a_socket_tells_the_reading_to_whoever_has_a_token(server: Any) -> None:
    told, _ = in_a_socket(server, {"token": server.token, "symbol": "ANCHOR"})
    assert told["source"] == "archive" and told["data"]["symbol"] == "ANCHOR"
    assert in_a_socket(server, {"token": "wrong", "symbol": "ANCHOR"}) == (None, 1008)
    assert in_a_socket(server, {"symbol": "ANCHOR"}) == (None, 1008)
    assert in_a_socket(server, {"token": server.token, "symbol": "NOTHING"}) == (None, 1011)


def test_a_socket_whose_client_has_gone_is_asked_about_no_longer(server: Any) -> None:
    first = json.dumps({"token": server.token, "symbol": "ANCHOR"})
    said = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": first},
        {"type": "websocket.disconnect", "code": 1006},
    ]
    told: list[Any] = []

    async def receive() -> Any:
        return said.pop(0)

    async def send(message: Any) -> None:
        told.append(message)  # which never fails: a client that has gone is not noticed by sending

    async def talk() -> None:
        scope = {
            "type": "websocket", "path": "/api/market-regime/ws", "query_string": b"", "subprotocols": [],
            "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1),
        }  # fmt: skip
        await asyncio.wait_for(create_app(server.desk)(scope, receive, send), timeout=60)

    asyncio.run(talk())
    assert [each["type"] for each in told] == ["websocket.accept", "websocket.send"]


def test_a_new_config_is_told_in_the_stream(workspace: Any, serve: Callable[..., Any]) -> None:
    server = serve(workspace)
    first, _ = in_a_socket(server, {"token": server.token, "symbol": "ANCHOR"})
    ExcelWorkbookFiles().write(workspace / REGIME_FILE, template_values())
    again, _ = in_a_socket(server, {"token": server.token, "symbol": "ANCHOR"})
    assert first["data"]["config_sha256"] != again["data"]["config_sha256"]
