"""A service under systemd: it says that it is well, and reads its secrets from files that systemd hands it."""

import socket
from pathlib import Path

from magellan.adapters.systemd.credentials import ServiceCredentials
from magellan.adapters.systemd.notify import ServiceNotice


def test_what_a_service_says_arrives_at_systemds_socket(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        notice = ServiceNotice({"NOTIFY_SOCKET": str(path)})
        notice.ready()
        notice.well()
        assert [systemd.recv(100), systemd.recv(100)] == [b"READY=1", b"WATCHDOG=1"]


def test_nobody_listens_elsewhere_and_nothing_fails(tmp_path: Path) -> None:
    ServiceNotice({}).well()
    ServiceNotice({"NOTIFY_SOCKET": str(tmp_path / "gone")}).well()


def test_a_credential_is_read_by_its_name_and_only_where_systemd_gave_it(tmp_path: Path) -> None:
    (tmp_path / "key_ALPACA_API_KEY").write_text("value\n")
    known = ServiceCredentials({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    found = known.secret("ALPACA_API_KEY")
    assert found is not None and found.get_secret_value() == "value"
    assert known.secret("ALPACA_API_SECRET") is None
    assert known.secret("../key_ALPACA_API_KEY") is None
    assert ServiceCredentials({}).secret("ALPACA_API_KEY") is None
