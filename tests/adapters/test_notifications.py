"""Notifications end to end: outbox, rounds and apprise, against mail and web servers on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr, ValidationError

from magellan.adapters.apprise_transport import AppriseTransport
from magellan.adapters.local.outbox_folder import OutboxFolder
from magellan.adapters.local.outbox_notifier import OutboxNotifier
from magellan.errors import AskOperator, FixInput
from magellan.ledger.known_secrets import NO_SECRETS, KnownSecrets
from magellan.ports.outbox import Message, Transport
from magellan.surfaces.cli.app import run
from magellan.surfaces.cli.delivery import delivering
from magellan.usecases.deliver_notifications import Round, deliver_round, enqueue
from magellan.wiring.upkeep import notifier, outbox
from magellan.workspace.notification_terms import Channel, NotificationTerms, Severity
from magellan.workspace.workspace import Workspace

# apprise imports a module that Python 3.13 has not any more, and has a replacement ready.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NOON = datetime(2026, 1, 20, 17, 0, tzinfo=UTC)  # of New York
SECRET = "canarycanarycanarycanary"


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def passes(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Sink:
    """A web server that answers what it is told to, and 200 then."""

    def __init__(self) -> None:
        self.answers: list[int | str] = []
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.asked = 0
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.asked += 1
                answer = sink.answers.pop(0) if sink.answers else 200
                if answer == "closes":
                    self.close_connection = True
                    return
                if answer == 200:
                    sink.taken.append((self.path, json.loads(body)))
                self.send_response(int(answer))
                content = b'{"ok":true,"result":{}}' if "bot" in self.path else b"ok"
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """Stands for Slack, Discord and Telegram."""
    from apprise.plugins.discord import NotifyDiscord
    from apprise.plugins.slack import NotifySlack
    from apprise.plugins.telegram import NotifyTelegram

    sink = Sink()
    monkeypatch.setattr(NotifySlack, "webhook_url", f"{sink.address}/services")
    monkeypatch.setattr(NotifySlack, "request_rate_per_sec", 0)
    monkeypatch.setattr(NotifyDiscord, "notify_url", f"{sink.address}/api/webhooks")
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"{sink.address}/bot")
    yield sink
    sink.close()


SLACK = Channel.model_validate({"kind": "slack", "secret": "SLACK_WEBHOOK_URL"})
SLACK_URL = f"https://hooks.slack.com/services/T0CANARY1/B0CANARY1/{SECRET}"


def terms_of(**terms: Any) -> NotificationTerms:
    return NotificationTerms.model_validate({"channels": {"desk": SLACK.model_dump()}, **terms})


def message(
    text: str, *, severity: Severity = "critical", at: datetime = NOON, number: int = 0, source: str = "PA1"
) -> Message:
    return Message(message_id=f"m{number:06}", at=at, severity=severity, source=source, text=text)


class Desk:
    """One channel over a folder."""

    def __init__(self, folder: Path, transport: Transport, **terms: Any) -> None:
        self.clock = Clock()
        self.outbox = OutboxFolder(folder)
        self.terms = terms_of(**terms)
        self._transport = transport
        self._number = 0

    def tell(self, text: str, severity: Severity = "critical") -> None:
        self._number += 1
        told = message(text, severity=severity, at=self.clock.at, number=self._number)
        enqueue(self.outbox, self.terms, told)

    def round(self) -> Round:
        with self.outbox.delivering("desk") as queue:
            assert queue is not None
            return deliver_round(queue, self._transport, self.terms, now=self.clock.now)

    @property
    def waiting(self) -> list[str]:
        return [each.text for each in self.outbox.peek("desk")[0]]


def slack() -> AppriseTransport:
    return AppriseTransport("desk", SLACK, SecretStr(SLACK_URL))


def test_slack_is_told(sink: Sink, tmp_path: Path) -> None:
    desk = Desk(tmp_path, slack())
    desk.tell("the breaker 'daily loss' tripped: lost 3.1 %")
    assert desk.round() == Round(sent=1)
    ((path, told),) = sink.taken
    assert path == f"/services/T0CANARY1/B0CANARY1/{SECRET}"
    assert "the breaker 'daily loss' tripped: lost 3.1 %" in json.dumps(told)
    assert "Magellan, critical: PA1" in json.dumps(told)
    assert "apprise" not in json.dumps(told).lower(), "a footer, a logo or a name of the library's"
    assert desk.waiting == []


@pytest.mark.parametrize(
    ("channel", "secret", "path"),
    [
        (
            {"kind": "discord", "secret": "DISCORD_WEBHOOK_URL"},
            f"https://discord.com/api/webhooks/4174216298/{SECRET}",
            f"/api/webhooks/4174216298/{SECRET}",
        ),
        (
            {"kind": "telegram", "secret": "TELEGRAM_BOT_TOKEN", "to": ["12315544"]},
            f"123456789:{SECRET}",
            f"/bot123456789:{SECRET}/sendMessage",
        ),
    ],
)
def test_discord_and_telegram_are_told(sink: Sink, channel: dict[str, Any], secret: str, path: str) -> None:
    transport = AppriseTransport("desk", Channel.model_validate(channel), SecretStr(secret))
    assert transport.send("warning", "Magellan", "bars are late") == ""
    assert [each for each, _ in sink.taken] == [path]
    assert "bars are late" in json.dumps(sink.taken)
    assert "apprise" not in json.dumps(sink.taken).lower()


def test_people_are_told_by_mail() -> None:
    letters: list[Any] = []

    class Post:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            letters.append(envelope)
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    office = Controller(Post(), hostname="127.0.0.1", port=port)
    office.start()
    try:
        channel = Channel.model_validate(
            {
                "kind": "email",
                "server": f"smtp://127.0.0.1:{port}",
                "sender": "desk@example.com",
                "to": ["jane@example.com", "joe@example.com"],
            }
        )
        transport = AppriseTransport("desk", channel, None)
        assert transport.send("critical", "Magellan, critical: PA1", "no bar has closed") == ""
    finally:
        office.stop()
    assert sorted(each.rcpt_tos[0] for each in letters) == ["jane@example.com", "joe@example.com"]
    assert b"no bar has closed" in letters[0].content
    assert b"Magellan, critical: PA1" in letters[0].content
    assert b"apprise" not in letters[0].content.lower()


@pytest.mark.parametrize("trouble", [429, 500, 503, "closes"])
def test_what_a_channel_refuses_is_told_again_until_it_is_taken(
    sink: Sink, tmp_path: Path, trouble: int | str
) -> None:
    desk = Desk(tmp_path, slack())
    sink.answers = [trouble, trouble]
    desk.tell("the order stream is down")
    assert desk.round().error
    assert desk.round().waiting == 1, "too early"
    assert sink.asked == 1
    desk.clock.passes(1.0)
    assert desk.round().error
    desk.clock.passes(1.9)
    assert sink.asked == 2 and desk.round().waiting == 1
    desk.clock.passes(0.2)
    assert desk.round() == Round(sent=1)
    assert desk.clock.at - NOON < timedelta(seconds=10), "two refusals cost less than ten seconds"
    assert len(sink.taken) == 1


def test_no_secret_is_in_what_is_remembered_of_a_failure(sink: Sink, tmp_path: Path) -> None:
    desk = Desk(tmp_path, slack())
    sink.answers = [404]
    desk.tell("the order stream is down")
    error = desk.round().error
    assert error and SECRET not in error
    sink.server.server_close()
    desk.clock.passes(5)
    desk.round()
    for path in tmp_path.rglob("*.json"):
        assert SECRET not in path.read_text()


def test_the_same_incident_is_told_once_in_five_minutes(sink: Sink, tmp_path: Path) -> None:
    desk = Desk(tmp_path, slack())
    for second in range(360):
        if second % 2 == 0:
            desk.tell(f"no sign of life for {90 + second} s")
        desk.round()
        desk.clock.passes(1)
    assert len(sink.taken) == 2


def test_a_storm_is_one_message(sink: Sink, tmp_path: Path) -> None:
    desk = Desk(tmp_path, slack())
    for letter in "abcdefghijklmnopqrstuvwxyz":
        desk.tell(f"order {letter} was refused", "warning")
    desk.tell("the breaker 'errors' tripped")
    assert desk.round().sent == 27
    ((_, told),) = sink.taken
    text = json.dumps(told)
    assert text.index("breaker 'errors'") < text.index("order a was refused"), "the severest first"
    assert "and 12 more" in text


def test_whatever_is_critical_is_named(sink: Sink, tmp_path: Path) -> None:
    desk = Desk(tmp_path, slack())
    names = [f"breaker {letter} tripped" for letter in "abcdefghijklmnopqrst"]
    for name in names:
        desk.tell(name)
    assert (desk.round(), desk.round()) == (Round(sent=15, waiting=5), Round(sent=5))
    text = json.dumps(sink.taken)
    assert [name for name in names if name not in text] == []


def test_quiet_hours_hold_everything_but_what_is_critical(sink: Sink, tmp_path: Path) -> None:
    desk = Desk(tmp_path, slack(), quiet_from="22:00", quiet_to="06:00")
    desk.clock.at = datetime(2026, 1, 21, 4, 0, tzinfo=UTC)  # 23:00 in New York
    desk.tell("a bar was corrected", "warning")
    desk.tell("the session is gone")
    assert desk.round() == Round(sent=1, waiting=1)
    assert "session is gone" in json.dumps(sink.taken) and "corrected" not in json.dumps(sink.taken)
    desk.clock.at = datetime(2026, 1, 21, 10, 59, tzinfo=UTC)
    assert desk.round().waiting == 1
    desk.clock.passes(60)
    assert desk.round().sent == 1


def test_a_channel_gets_what_is_severe_enough_for_it(tmp_path: Path) -> None:
    terms = NotificationTerms.model_validate(
        {
            "channels": {
                "all": {**SLACK.model_dump(), "least": "info"},
                "some": SLACK.model_dump(),
                "few": {**SLACK.model_dump(), "least": "critical"},
            }
        }
    )
    outbox = OutboxFolder(tmp_path)
    assert enqueue(outbox, terms, message("a", severity="info")) == ("all",)
    assert enqueue(outbox, terms, message("b", severity="warning")) == ("all", "some")
    assert enqueue(outbox, terms, message("c", severity="critical")) == ("all", "some", "few")


def test_a_kill_after_the_channel_took_it_tells_at_most_once_more(sink: Sink, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    class Dies:
        def send(self, severity: Severity, title: str, body: str) -> str:
            assert slack().send(severity, title, body) == ""
            raise Killed

    desk = Desk(tmp_path, Dies())
    desk.tell("the session is gone")
    with pytest.raises(Killed):
        desk.round()
    again = Desk(tmp_path, slack())
    assert again.round().sent == 1
    assert again.round() == Round()
    assert len(sink.taken) == 2


def test_what_nobody_took_in_a_day_is_put_aside(sink: Sink, tmp_path: Path) -> None:
    desk = Desk(tmp_path, slack())
    sink.answers = [500] * 9
    desk.tell("the session is gone")
    desk.round()
    desk.clock.passes(86_401)
    desk.round()
    assert desk.waiting == [] and desk.outbox.peek("desk")[2] == 1


def test_one_process_at_a_time_delivers_from_a_channel(tmp_path: Path) -> None:
    outbox = OutboxFolder(tmp_path)
    with outbox.delivering("desk") as first, OutboxFolder(tmp_path).delivering("desk") as second:
        assert first is not None and second is None


def test_a_secret_that_is_none_of_the_channels_kind_is_refused_and_not_shown() -> None:
    with pytest.raises(FixInput, match="SLACK_WEBHOOK_URL") as refused:
        AppriseTransport("desk", SLACK, SecretStr("canary-7731"))
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "channel",
    [
        {"kind": "slack"},
        {"kind": "slack", "secret": SLACK_URL},
        {"kind": "telegram", "secret": "TELEGRAM_BOT_TOKEN"},
        {"kind": "email", "to": ["a@example.com"]},
        {"kind": "email", "to": ["a@example.com"], "sender": "b@example.com", "server": "smtps://u:pw@h:1"},
    ],
)
def test_a_channel_that_cannot_work_or_holds_a_secret_is_refused(channel: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Channel.model_validate(channel)


# -- from a session --------------------------------------------------------------------------------------------


class Log:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def tell(self, severity: str, text: str, at: datetime) -> None:
        self.told.append((severity, text))


def test_a_session_waits_for_no_disk_and_hides_its_keys(tmp_path: Path) -> None:
    goes_on = threading.Event()
    written: list[Message] = []

    def slowly(told: Message) -> None:
        goes_on.wait()
        written.append(told)

    log = Log()
    notifier = OutboxNotifier(log, slowly, source="PA1", secrets=KnownSecrets(["canary-7731"]))
    began = time.perf_counter()
    for _ in range(100):
        notifier.tell("critical", "refused: key canary-7731", NOON)
    assert time.perf_counter() - began < 1.0
    assert len(log.told) == 100 and not written
    goes_on.set()
    notifier.close()
    assert len(written) == 100
    assert {each.text for each in written} == {"refused: key [hidden]"}


def test_an_outbox_that_cannot_be_written_is_told_in_the_log_alone(tmp_path: Path) -> None:
    def full(told: Message) -> None:
        raise AskOperator("the disk is full")

    log = Log()
    notifier = OutboxNotifier(log, full, source="PA1", secrets=NO_SECRETS)
    notifier.tell("critical", "the session is gone", NOON)
    notifier.close()
    assert log.told == [
        ("critical", "the session is gone"),
        ("warning", "nobody else was told: the disk is full"),
    ]


# -- beside a watch --------------------------------------------------------------------------------------------


def workspace_at(folder: Path) -> Workspace:
    (folder / "magellan.toml").write_text(
        '[notifications.channels.desk]\nkind = "slack"\nsecret = "SLACK_WEBHOOK_URL"\n'
        '[notifications.channels.dead]\nkind = "slack"\nsecret = "NOT_THERE_URL"\n'
    )
    return Workspace.at(folder)


def test_the_outbox_says_what_waits_for_the_end_of_the_quiet_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    workspace_at(tmp_path)
    with (tmp_path / "magellan.toml").open("a") as file:
        file.write('[notifications]\nquiet_from = "22:00"\nquiet_to = "06:00"\n')
    monkeypatch.setattr(NotificationTerms, "is_quiet", lambda terms, at: True)
    workspace = Workspace.at(tmp_path)
    told = (message("the logs are large", severity="warning", number=1), message("it is gone", number=2))
    for each in told:
        enqueue(outbox(workspace), workspace.settings.notifications, each)
    assert run(["notify", "outbox", "--json", "--workspace", str(tmp_path)]) == 0
    desk, _ = json.loads(capfd.readouterr().out)
    assert (desk["waiting"], desk["held"]) == (2, 1)
    assert desk["why"] == "1 until 06:00 New York: quiet hours"


def test_what_a_watch_tells_is_delivered_in_seconds_though_another_channel_fails(
    sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", SLACK_URL)
    sink.answers = [429]
    workspace = workspace_at(tmp_path)
    told = notifier(workspace, "PA1", ())
    with delivering(workspace):
        began = time.monotonic()
        told.tell("critical", "the session is gone", NOON)
        while not sink.taken and time.monotonic() - began < 10:
            time.sleep(0.02)  # of a real clock: the seconds until a person knows are what is measured
    assert sink.taken, "in ten seconds, through a refusal"
    assert "there is no secret NOT_THERE_URL" in capfd.readouterr().err


def test_channels_are_tested_and_their_queues_shown(
    sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", SLACK_URL)
    workspace = workspace_at(tmp_path)
    at = ("--workspace", str(tmp_path))
    assert run(["notify", "test", "desk", *at]) == 0
    assert run(["notify", "test", "--json", *at]) == 1
    found = json.loads(capfd.readouterr().out.partition("\n")[2])
    assert found["desk"]["taken"] and "no secret NOT_THERE_URL" in found["dead"]["problem"]
    assert "\nnext: " in found["dead"]["problem"]
    enqueue(outbox(workspace), workspace.settings.notifications, message("the session is gone"))
    assert run(["notify", "outbox", "--json", *at]) == 0
    rows = {row["channel"]: row for row in json.loads(capfd.readouterr().out)}
    assert (rows["desk"]["waiting"], rows["dead"]["waiting"]) == (1, 1)
    assert run(["notify", "test", "nobody", *at]) == 1
