"""The engine of a release in this lab: an instance that says it is ready, or ends, as its strategy.py tells it.

Takes the place of the whole of Magellan inside the container, so that an image is built in a second.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    verb, key, workspace = sys.argv[1], sys.argv[-3], Path(sys.argv[-1])
    folder = workspace / ".magellan/host/instances" / key
    told = json.loads((folder / "instance.json").read_text())
    release = Path(os.environ["MAGELLAN_INSTALLED"]) / "installed" / told["release_id"]
    behaviour = (release / "strategy/strategy.py").read_text().strip()
    if verb == "host":
        report = json.loads((folder / "report.json").read_text())
        sys.exit(0 if report["condition"] == "ready" else 1)
    signal.signal(
        signal.SIGTERM, lambda number, frame: sys.exit(0)
    )  # the first process of a container must say so
    if behaviour == "ends":
        sys.exit("there is no tide today")
    sys.stdout.write(f"ready with {os.environ['PYTHONPATH']}\n")
    sys.stdout.flush()
    while True:
        report = {
            "condition": "ready",
            "why": behaviour,
            "at": "2026-01-21T21:30:00+00:00",
            "pid": os.getpid(),
            "release_id": told["release_id"],
            "code_sha256": "",
            "config_sha256": "",
            "engine_version": "0.1.0",
            "engine_path": str(Path(__file__).parent),
            "broker_answered_at": None,
        }
        beside = folder / "report.json.new"
        beside.write_text(json.dumps(report))
        os.replace(beside, folder / "report.json")
        time.sleep(0.1)


main()
