"""What the API answers."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from magellan.adapters.local.control_folder import new_request
from magellan.ports.api_tokens import Scope
from magellan.wiring.sessions import control_folder
from magellan.workspace.workspace import Workspace

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
        ("/api/account?account=nobody", 404, "account-not-found"),
        ("/api/runs?lst=5", 422, "malformed-request"),
        ("/api/strategies?stage=prod", 422, "malformed-request"),
        ("/api/runs?last=5&last=6", 422, "malformed-request"),
        (f"{CONFIG}?nothing=1", 422, "malformed-request"),
        ("/api/runs?last=0", 422, "malformed-request"),
    ],
)
def test_a_failure_says_what_happened_and_what_to_do(path: str, status: int, code: str, server: Any) -> None:
    told = server.ask(path)
    assert (told.status, told.json["code"]) == (status, code)
    assert told.headers["Content-Type"] == "application/problem+json"
    assert told.json["status"] == status and told.json["detail"] and told.json["fix"]


def test_a_misspelt_parameter_is_answered_with_the_one_that_is_meant(server: Any) -> None:
    told = server.ask("/api/market-regime/status?symbol=ANCHOR&timefame=1Hour")
    (error,) = told.json["errors"]
    assert error == {"place": "query.timefame", "wrong": "there is no such parameter; is timeframe meant?"}


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b"reason=x", "application/x-www-form-urlencoded", 415, "Content-Type: application/json"),
        (b'{"reason": "x"}', "text/plain", 415, "Content-Type: application/json"),
        (b'{"reason": "x"', "application/json", 422, "it is no JSON: Expecting"),
        (b"[" * 100_000, "application/json", 422, "no JSON that can be read"),
        (b'{"reason": "\\u001b[2J all is well"}', "application/json", 422, "one line of plain letters"),
        (
            b'{"reason": "x", "by": "jane\\nresumed by joe"}',
            "application/json",
            422,
            "one line of plain letters",
        ),
        (b'{"reason": "\\u202exyz"}', "application/json", 422, "one line of plain letters"),
        (b'{"reason": " "}', "application/json", 422, "it is blank"),
    ],
)
def test_a_body_that_says_nothing_or_hides_something_is_refused_in_words(
    body: bytes, kind: str, status: int, words: str, server: Any
) -> None:
    told = server.ask("/api/halt", method="POST", body=body, headers={"Content-Type": kind})
    assert told.status == status, told.body
    assert words in told.json["detail"] + told.json["fix"], told.json


def test_a_strategy_is_one_of_the_workspaces_and_never_a_path(server: Any) -> None:
    path = str(server.desk.workspace.root / "dev" / "moods")
    for name in (path, "../desk/dev/moods", "moods/.."):
        told = server.ask("/api/backtests", method="POST", body={"strategy": name})
        assert (told.status, told.json["code"]) == (404, "not-found")


def test_a_backtest_is_started_watched_and_kept(server: Any) -> None:
    job = ended(server, server.data("/api/backtests", method="POST", body={"strategy": "moods"}))
    assert job["state"] == "done", job
    assert (job["phase"], job["done"], job["total"]) == (
        "measure and keep",
        1,
        1,
    )  # what comes behind the replay
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


def test_what_no_session_has_acted_on_yet_is_shown(workspace: Any, serve: Any) -> None:
    with open(workspace / "magellan.toml", "a") as settings:
        settings.write('\n[accounts.desk]\nbroker = "alpaca"\nkind = "paper"\nnumber = "PA1"\n')
    server = serve(workspace)
    assert server.data("/api/account?account=desk")["asked"] == []
    request = new_request("halt", person="jane", reason="the feed looks wrong", source="command")
    control_folder(Workspace.at(workspace), "alpaca-paper-PA1").leave(request)
    (waiting,) = server.data("/api/account?account=desk")["asked"]
    assert (waiting["asks"], waiting["person"], waiting["reason"]) == ("halt", "jane", "the feed looks wrong")


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


def test_what_is_told_of_an_account_that_nobody_trades_is_as_old_as_its_ledger(
    workspace: Any, serve: Any
) -> None:
    with open(workspace / "magellan.toml", "a") as settings:
        settings.write('\n[accounts.desk]\nbroker = "alpaca"\nkind = "paper"\nnumber = "PA1"\n')
    server = serve(workspace)
    paths = ("account", "positions", "orders", "breakers")
    for path in paths:
        told = server.ask(f"/api/{path}?account=desk").json
        assert (told["as_of"], told["age_s"]) == (None, None), path  # nothing was ever told of it
    server.data("/api/halt", method="POST", body={"account": "desk", "reason": "the feed looks wrong"})
    newest = datetime.fromisoformat(server.ask("/api/accounts").json["as_of"])
    for path in paths:
        as_of = datetime.fromisoformat(server.ask(f"/api/{path}?account=desk").json["as_of"])
        assert abs(as_of - newest) < timedelta(milliseconds=1), path


def test_both_names_of_one_account_are_known(workspace: Any, serve: Any) -> None:
    with open(workspace / "magellan.toml", "a") as settings:
        for name in ("desk", "staging"):  # of one account at one exchange, and so of one ledger
            settings.write(
                f'\n[accounts.{name}]\nkind = "local"\nnumber = "PA1"\naddress = "http://127.0.0.1:1"\n'
            )
    server = serve(workspace)
    for name in ("desk", "staging"):
        assert server.data(f"/api/account?account={name}")["name"] == name
    unknown = server.ask("/api/account?account=nobody").json
    assert unknown["detail"] == "there is no account 'nobody'; there are: desk, staging"
