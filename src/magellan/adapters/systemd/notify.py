"""What a service tells systemd about itself: that it is ready, and that it is still well."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class ServiceNotice:
    """Says it over the socket that systemd hands a service of Type=notify; elsewhere nobody listens."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")

    def ready(self) -> None:
        """It stands by."""
        self._tell("READY=1")

    def well(self) -> None:
        """It is as it should be; silence beyond WatchdogSec ends it."""
        self._tell("WATCHDOG=1")

    def _tell(self, words: str) -> None:
        if not self._address:
            return
        # An address that begins with @ is in the abstract namespace, which has a zero byte there.
        address = os.fsencode("\0" + self._address[1:] if self._address[0] == "@" else self._address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.settimeout(1.0)
            try:
                line.sendto(words.encode(), address)
            except OSError:
                return  # systemd restarts itself now and then; the next one is heard
