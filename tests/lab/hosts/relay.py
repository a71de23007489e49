"""A cable that takes its time: frames between two TAP ends, each in its own network namespace, are held back.

python relay.py NAMESPACE/INTERFACE NAMESPACE/INTERFACE FILE    the file holds the delay each way, in seconds

The kernels of small machines have no netem. A TAP end hands over whole frames with their checksums, so nothing on
either side notices but the clock.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import select
import struct
import sys
import time
from itertools import count
from pathlib import Path

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
TAP, NO_PACKET_INFORMATION = 0x0002, 0x1000
FRAME_BYTES = 65_536
READS_DELAY_EVERY_S = 0.2


def tap(place: str) -> int:
    """Make the interface, and open its other side."""
    namespace, _, name = place.partition("/")
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", name.encode(), TAP | NO_PACKET_INFORMATION))
    return end


def relay(ends: tuple[int, int], delay_file: Path) -> None:
    """Until it is killed."""
    waiting: list[tuple[float, int, int, bytes]] = []
    number = count()
    delay_s, read_at_s = 0.0, 0.0
    while True:
        now_s = time.monotonic()
        if now_s - read_at_s > READS_DELAY_EVERY_S:
            delay_s, read_at_s = float(delay_file.read_text() or 0), now_s
        while waiting and waiting[0][0] <= now_s:
            _, _, end, frame = heapq.heappop(waiting)
            try:
                os.write(end, frame)
            except OSError:
                continue  # that side is down: the frame is lost, as on any cable
        within_s = READS_DELAY_EVERY_S if not waiting else max(0.0, waiting[0][0] - time.monotonic())
        for end in select.select(ends, (), (), within_s)[0]:
            try:
                frame = os.read(end, FRAME_BYTES)
            except OSError:
                continue
            other = ends[1] if end == ends[0] else ends[0]
            heapq.heappush(waiting, (time.monotonic() + delay_s, next(number), other, frame))


if __name__ == "__main__":
    both = tap(sys.argv[1]), tap(sys.argv[2])
    sys.stdout.write("up\n")
    sys.stdout.flush()
    relay(both, Path(sys.argv[3]))
