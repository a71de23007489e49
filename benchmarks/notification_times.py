"""From an alarm to a person: how long a critical message takes through a channel that refuses some of what it is given.

    python benchmarks/notification_times.py [--events 200] [--trouble 0.2] [--seed 1]

A watch delivers beside this process, as `magellan watch` does; the channel is a web server on loopback that answers
429, 500 or not at all now and then. Counted is from `tell` to the instant at which the server took a message that names
the event. Each event must arrive: at least once, through all of that.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import tempfile
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TROUBLES = (429, 500, 503, "closes")


class Channel:
    """Takes messages, and refuses some."""

    def __init__(self, trouble: float, rng: random.Random) -> None:
        self.taken_at: dict[str, float] = {}
        self.messages = self.refusals = 0
        channel = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = json.dumps(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                if rng.random() < trouble:
                    channel.refusals += 1
                    answer = rng.choice(TROUBLES)
                    if answer == "closes":
                        self.close_connection = True
                        return
                    self.send_response(int(answer))
                else:
                    channel.messages += 1
                    for event in re.findall(r"event [a-z]+", text):
                        channel.taken_at.setdefault(event, time.monotonic())
                    self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def letters(number: int) -> str:
    """A name without a digit: numbers do not tell incidents apart."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--trouble", type=float, default=0.2, help="of requests that are refused")
    parser.add_argument("--every-s", type=float, default=0.3, help="on average, between two events")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    from apprise.plugins.slack import NotifySlack

    from magellan.surfaces.cli.delivery import delivering
    from magellan.wiring.upkeep import notifier
    from magellan.workspace.workspace import Workspace

    rng = random.Random(asked.seed)
    channel = Channel(asked.trouble, random.Random(asked.seed + 1))
    NotifySlack.webhook_url = f"http://127.0.0.1:{channel.server.server_port}/services"
    os.environ["SLACK_WEBHOOK_URL"] = (
        "https://hooks.slack.com/services/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"
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "magellan.toml").write_text(
            '[notifications.channels.desk]\nkind = "slack"\nsecret = "SLACK_WEBHOOK_URL"\n'
        )
        workspace = Workspace.at(root)
        told = notifier(workspace, "PA1", ())
        told_at: dict[str, float] = {}
        with delivering(workspace):
            for number in range(asked.events):
                event = f"event {letters(number)}"
                told_at[event] = time.monotonic()
                told.tell("critical", f"{event} happened", datetime.now(UTC))
                time.sleep(rng.expovariate(1 / asked.every_s))
            deadline = time.monotonic() + 60
            while told_at.keys() - channel.taken_at.keys() and time.monotonic() < deadline:
                time.sleep(0.05)
    missing = told_at.keys() - channel.taken_at.keys()
    took = sorted(channel.taken_at[each] - at for each, at in told_at.items() if each in channel.taken_at)
    print(
        f"{asked.events} events, {channel.refusals} refusals, {channel.messages} messages, {len(missing)} lost"
    )
    print(
        f"p50 {took[len(took) // 2]:.2f} s   p99 {took[int(len(took) * 0.99)]:.2f} s   worst {took[-1]:.2f} s"
    )


if __name__ == "__main__":
    main()
