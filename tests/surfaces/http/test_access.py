"""Who is let in, and what becomes of those who are not."""

import json
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from magellan.errors import FixInput
from magellan.ports.api_tokens import ApiToken, Scope
from magellan.usecases.api_access import caller_of, issue_token, must_be_closed, revoke_token

NOW = datetime(2026, 1, 20, 15, tzinfo=UTC)


class Kept:
    """Tokens in memory."""

    def __init__(self) -> None:
        self._tokens: tuple[ApiToken, ...] = ()

    def tokens(self) -> tuple[ApiToken, ...]:
        return self._tokens

    def keep(self, tokens: tuple[ApiToken, ...]) -> None:
        self._tokens = tokens


def issued(kept: Kept, name: str = "dash", *scopes: str, **more: Any) -> str:
    given = {"now": NOW, "overlap": timedelta(hours=1), **more}
    return issue_token(name, scopes or ("read",), kept, **given).token


def test_a_token_is_recognised_and_kept_as_a_digest_alone() -> None:
    kept = Kept()
    token = issued(kept)
    found = caller_of(token, kept.tokens(), "", NOW)
    assert found is not None and found.name == "dash" and found.scopes == {Scope.READ}
    assert token not in repr(kept.tokens())
    assert caller_of(token[:-1], kept.tokens(), "", NOW) is None


def test_a_rotated_token_stays_good_for_the_overlap_and_no_longer() -> None:
    kept = Kept()
    old, new = issued(kept), issued(kept)
    for token in (old, new):
        assert caller_of(token, kept.tokens(), "", NOW + timedelta(minutes=59)) is not None
    assert caller_of(old, kept.tokens(), "", NOW + timedelta(hours=1)) is None
    assert caller_of(new, kept.tokens(), "", NOW + timedelta(hours=1)) is not None


def test_a_token_for_some_days_ends_with_them() -> None:
    kept = Kept()
    token = issued(kept, days=2)
    assert caller_of(token, kept.tokens(), "", NOW + timedelta(days=1, hours=23)) is not None
    assert caller_of(token, kept.tokens(), "", NOW + timedelta(days=2)) is None


def test_a_revoked_token_opens_nothing() -> None:
    kept = Kept()
    token = issued(kept)
    assert revoke_token("dash", kept) == 1
    assert caller_of(token, kept.tokens(), "", NOW) is None
    with pytest.raises(FixInput, match="no token 'dash'"):
        revoke_token("dash", kept)


@pytest.mark.parametrize(("name", "scopes"), [("Dash Board", ["read"]), ("dash", ["trade"]), ("dash", [])])
def test_a_token_has_a_plain_name_and_scopes_that_exist(name: str, scopes: list[str]) -> None:
    with pytest.raises(FixInput):
        issue_token(name, scopes, Kept(), now=NOW, overlap=timedelta())


def test_the_token_of_the_environment_has_every_scope_and_must_be_long() -> None:
    found = caller_of("e" * 32, (), "e" * 32, NOW)
    assert found is not None and found.scopes == set(Scope)
    must_be_closed((), "e" * 32, NOW)
    with pytest.raises(FixInput, match="has 5 letters"):
        must_be_closed((), "short", NOW)
    with pytest.raises(FixInput, match="no token"):
        must_be_closed((), "", NOW)


def test_nobody_is_answered_without_a_token_but_about_health(server: Any) -> None:
    document = server.ask("/api/openapi.json").json
    for path, operations in document["paths"].items():
        for method in operations:
            told = server.ask(path.replace("{job_id}", "0" * 16), method=method.upper(), token=None)
            if path in ("/api/health", "/api/ready"):
                assert told.status == 200, path
            else:
                assert told.status == 401, (method, path, told.status)
                assert told.headers["Content-Type"] == "application/problem+json"
    told = server.ask("/api/strategies", token=None)
    assert told.status == 401 and told.headers["WWW-Authenticate"] == "Bearer"
    assert server.ask("/api/strategies", token="wrong").status == 401


def test_nothing_of_a_body_is_read_for_whoever_has_no_token(server: Any) -> None:
    for token in (None, "wrong"):
        told = server.ask("/api/halt", method="POST", token=token, body=b"{")
        assert (told.status, told.json["code"]) == (401, "no-token")
    host = urlsplit(server.url)
    with socket.create_connection((str(host.hostname), int(host.port or 0)), timeout=60) as connection:
        # The answer comes before a single byte of the body that is announced.
        connection.sendall(b"POST /api/halt HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"BREW / HTTP/1.1\r\n\r\n"])
def test_what_is_no_request_is_answered_with_a_problem_too(sent: bytes, server: Any) -> None:
    host = urlsplit(server.url)
    with socket.create_connection((str(host.hostname), int(host.port or 0)), timeout=60) as connection:
        connection.sendall(sent)
        told = b"".join(iter(lambda: connection.recv(10_000), b""))
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ") and b"application/problem+json" in head
    assert json.loads(body)["code"] == "no-http" and json.loads(body)["fix"]


@pytest.mark.parametrize("given", [{"days": 40_000}, {"overlap": timedelta(days=40_000)}])
def test_a_token_is_not_good_for_longer_than_a_calendar_reaches(given: Any) -> None:
    with pytest.raises(FixInput, match="36,500 days at most"):
        issued(Kept(), **given)


WRITES = [
    ("/api/halt", "POST", {"reason": "x"}, Scope.OPERATE),
    ("/api/resume", "POST", {"reason": "x"}, Scope.OPERATE),
    ("/api/flatten", "POST", {"reason": "x"}, Scope.FLATTEN),
    ("/api/backtests", "POST", {"strategy": "nothing"}, Scope.RESEARCH),
    ("/api/gates", "POST", {"strategy": "nothing"}, Scope.RESEARCH),
    ("/api/market-regime/analyze", "POST", {"symbol": "NOTHING"}, Scope.RESEARCH),
    ("/api/market-regime/config", "POST", {}, Scope.CONFIGURE),
]


@pytest.mark.parametrize(("path", "method", "body", "scope"), WRITES)
def test_a_token_does_what_its_scopes_allow_and_nothing_else(
    path: str, method: str, body: Any, scope: Scope, server: Any
) -> None:
    others = server.scoped(*(set(Scope) - {scope}))
    told = server.ask(path, method=method, body=body, token=others)
    assert told.status == 403
    assert told.json["code"] == "no-scope" and scope in told.json["detail"]
    allowed = server.ask(path, method=method, body=body, token=server.scoped(scope))
    assert allowed.status not in (401, 403)


def test_everything_that_is_asked_to_be_changed_is_in_the_audit_log_before_and_after(server: Any) -> None:
    server.ask("/api/backtests", method="POST", body={"strategy": "nothing"}, headers={"X-Reason": "curious"})
    told = server.data("/api/audit?last=1000")
    begun, ended = (each for each in told if each["why"] == "curious")
    assert (begun["person"], begun["action"], begun["subject"]) == ("tests", "api research", "/api/backtests")
    assert (begun["result"], ended["result"]) == ("begun", "refused")
    assert "nothing" in ended["note"]
    assert server.data("/api/audit/verify")["sound"] is True


def test_the_environments_token_is_let_in(environment_server: Any) -> None:
    assert environment_server.ask("/api/strategies", token="e" * 32).status == 200


def test_whoever_asks_too_often_is_told_when_to_come_back(strict_server: Any) -> None:
    told = [strict_server.ask("/api/health", token=None) for _ in range(6)]
    assert [each.status for each in told] == [200] * 5 + [429]
    assert told[-1].json["code"] == "too-many-requests"
    assert int(told[-1].headers["Retry-After"]) > 0


def test_whoever_guesses_tokens_is_made_to_wait_and_whoever_has_one_is_not(environment_server: Any) -> None:
    told = [environment_server.ask("/api/strategies", token=f"guess-{at}") for at in range(21)]
    assert [each.status for each in told] == [401] * 20 + [429]
    assert told[-1].json["code"] == "too-many-tokens"
    assert environment_server.ask("/api/strategies").status == 200


def test_a_body_that_is_too_large_is_refused(strict_server: Any) -> None:
    told = strict_server.ask("/api/market-regime/config/check", method="POST", body=b"x" * 1001)
    assert (told.status, told.json["code"]) == (413, "too-large")


@pytest.mark.parametrize("times", [1.1, 3.0])
@pytest.mark.parametrize("in_chunks", [False, True])
def test_whoever_sends_too_large_a_body_gets_the_answer_and_no_broken_connection(
    server: Any, times: float, in_chunks: bool
) -> None:
    sent = b"x" * int(server.desk.limits.body_bytes_max * times)
    told = server.ask(
        "/api/market-regime/config/check", method="POST", body=sent,
        headers={"Expect": "100-continue", "Transfer-Encoding": "chunked"} if in_chunks else None,
    )  # fmt: skip
    assert (told.status, told.json["code"]) == (413, "too-large")


def test_whoever_tells_of_too_large_a_body_and_does_not_send_it_is_answered(strict_server: Any) -> None:
    asked = urlsplit(strict_server.url)
    with socket.create_connection((asked.hostname, asked.port), timeout=20) as caller:
        caller.sendall(
            f"POST /api/market-regime/config/check HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1001\r\n"
            f"Authorization: Bearer {strict_server.token}\r\n\r\n".encode()
        )
        assert caller.recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /",
        b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ",
        b"POST /api/halt HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer TOKEN\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
    ],
    ids=["address", "header", "trailer"],
)
def test_a_head_without_an_end_is_refused(begun: bytes, server: Any) -> None:
    asked = urlsplit(server.url)
    with socket.create_connection((asked.hostname, asked.port), timeout=20) as caller:
        caller.sendall(begun.replace(b"TOKEN", server.token.encode()))
        with suppress(ConnectionError):  # it closes while we still send
            for _ in range(100):
                caller.sendall(b"x" * 10_000)
            told = caller.recv(1000)
            assert told.startswith(b"HTTP/1.1 400 ") and b"65,536 bytes" in told


def test_a_server_that_is_called_by_a_strange_name_does_not_answer(server: Any) -> None:
    told = server.ask("/api/health", headers={"Host": "evil.example:80"})
    assert (told.status, told.json["code"]) == (421, "wrong-host")


def test_a_page_of_another_origin_is_told_nothing(server: Any) -> None:
    told = server.ask("/api/strategies", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in told.headers
    asked = server.ask("/api/strategies", method="OPTIONS", headers={"Origin": "https://evil.example"})
    assert asked.status == 405 and "Access-Control-Allow-Origin" not in asked.headers
