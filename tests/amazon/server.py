"""Amazon's services over loopback, for the time of a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen


@contextmanager
def amazon() -> Iterator[str]:
    """The address of a server that has S3, Systems Manager and IAM.

    It answers one call after the other, so that a condition and the write that hangs on it are one step, as they are
    at Amazon.
    """
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: object) -> None:
            """What was asked is for the test to say."""

    server = make_server(
        "127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), request_handler=Quiet
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        # What it holds belongs to this process and not to the server: nothing of an earlier test is to be there.
        with urlopen(Request(f"{address}/moto-api/reset", method="POST"), timeout=30):
            yield address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
