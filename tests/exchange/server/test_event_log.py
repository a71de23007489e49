"""The event log and the rate limit."""

import errno
import io
import json
import tracemalloc

import pytest

from magellan.exchange.server.encoding import rfc3339
from magellan.exchange.server.event_log import EventLog
from magellan.exchange.server.rate_limit import RateLimit
from magellan.trading.timeframe import SECOND_NS


def test_lines_are_numbered_and_go_to_the_file_and_to_memory() -> None:
    file = io.BytesIO()
    log = EventLog(file)
    for number in range(3):
        log.write(number * SECOND_NS, "step", to=number)
    assert [json.loads(line)["n"] for line in log.since(1)] == [2, 3]
    assert log.since(1, limit=1) == log.since(0)[1:2]
    assert file.getvalue() == b"".join(line + b"\n" for line in log.since(0))


def test_a_file_that_takes_no_more_ends_there_and_the_log_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    log, heard = EventLog(open("/dev/full", "wb")), []  # noqa: SIM115 - the log closes it
    log.follow(heard.append)
    log.write(0, "first")
    log.flush()
    log.write(0, "second")
    log.close()
    assert (
        [json.loads(line)["n"] for line in log.since(0)]
        == [1, 2]
        == [json.loads(line)["n"] for line in heard]
    )
    assert log.cut_off is not None
    assert (log.cut_off[0], log.cut_off[1].errno) == (1, errno.ENOSPC)
    assert [record.message for record in caplog.records] == [
        "the event log can be written no more, from line 1 on: No space left on device"
    ]


def test_a_follower_hears_every_further_line_until_it_stops() -> None:
    log, heard = EventLog(), []
    log.write(0, "before")
    stop = log.follow(heard.append)
    log.write(0, "heard")
    stop()
    log.write(0, "after")
    assert [json.loads(line)["what"] for line in heard] == ["heard"]


def test_lines_that_nobody_reads_are_written_a_moment_later() -> None:
    file, moments = io.BytesIO(), []
    log = EventLog(file, later=moments.append)
    log.write(0, "first")
    log.write(0, "second")
    assert (file.getvalue(), len(moments)) == (b"", 1)
    moments.pop()()
    assert [json.loads(line)["what"] for line in file.getvalue().splitlines()] == ["first", "second"]


def test_who_reads_the_log_before_that_moment_finds_every_line() -> None:
    log, heard = EventLog(io.BytesIO(), later=lambda _: None), []
    log.write(0, "before")
    assert [json.loads(line)["what"] for line in log.since(0)] == ["before"]
    log.write(0, "not heard")
    stop = log.follow(heard.append)
    log.write(0, "heard")
    stop()
    assert [json.loads(line)["what"] for line in heard] == ["heard"]
    assert [json.loads(line)["n"] for line in log.since(0)] == [1, 2, 3]


def test_the_log_keeps_little_more_memory_than_its_lines_have_bytes() -> None:
    log = EventLog()
    tracemalloc.start()
    try:
        for number in range(500):
            log.write(number, "trade_update", data={"order": {str(each): "a value" for each in range(40)}})
        kept_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept_bytes < 2 * sum(map(len, log.since(0)))


def test_times_are_written_with_as_many_digits_as_they_need() -> None:
    noon_ns = 1_710_158_400 * SECOND_NS
    assert rfc3339(noon_ns) == "2024-03-11T12:00:00Z"
    assert rfc3339(noon_ns + SECOND_NS // 2) == "2024-03-11T12:00:00.5Z"
    assert rfc3339(noon_ns + 1) == "2024-03-11T12:00:00.000000001Z"


def test_a_key_gets_its_requests_each_minute_and_not_one_more() -> None:
    limit, minute_ns = RateLimit(2), 60 * SECOND_NS
    first, second, third = (limit.spend("PK1", minute_ns) for _ in range(3))
    assert [each.exceeded for each in (first, second, third)] == [False, False, True]
    assert first.headers == {
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Remaining": "1",
        "X-RateLimit-Reset": "120",
    }
    assert third.remaining == 0
    assert not limit.spend("PK2", minute_ns).exceeded
    assert not limit.spend("PK1", 2 * minute_ns).exceeded
