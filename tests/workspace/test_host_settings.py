"""What a host is told of magellan.toml: what its sessions trade by, and nothing of the controller's."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from magellan.workspace.host_settings import host_settings, host_settings_digest

TEXT = """
format = 1
[accounts.staging]
kind = "local"
number = "PA1"
address = "http://127.0.0.1:8970"
[stages.test]
account = "staging"
targets = ["tokyo"]
watch_s = 3.5
[stages.test.risk]
order_usd_max = 1000
[targets.tokyo]
kind = "ssh"
address = "tokyo"
[deploy]
ready_within_s = 20
"""
VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_host_reads_accounts_and_limits_and_no_section_that_an_older_release_may_not_know() -> None:
    told = tomllib.loads(host_settings(TEXT))
    assert told == {
        "format": 1,
        "accounts": {"staging": {"kind": "local", "number": "PA1", "address": "http://127.0.0.1:8970"}},
        "stages": {"test": {"account": "staging", "risk": {"order_usd_max": 1000}}},
    }


def test_a_roll_outs_own_settings_need_no_preparation_and_an_accounts_do() -> None:
    same = TEXT.replace("ready_within_s = 20", "ready_within_s = 30")
    other = TEXT.replace("PA1", "PA2")
    digest = host_settings_digest(host_settings(TEXT))
    assert host_settings_digest(host_settings(same)) == digest
    assert host_settings_digest(host_settings(other)) != digest


@given(section=st.dictionaries(st.text(), VALUES, max_size=4))
def test_whatever_toml_can_say_is_said_again(section: dict[str, object]) -> None:
    from magellan.workspace.host_settings import _value

    text = f"risk = {_value(section)}\n"
    assert tomllib.loads(host_settings(text)) == {"risk": section}
