"""The keys of a session that was prepared long before it trades."""

from __future__ import annotations

import json
from pathlib import Path

from magellan.settings.mode import Asked
from magellan.surfaces.cli.session_run import PreparedSession, prepared_session
from magellan.usecases.load_strategy import load_strategy
from magellan.workspace.workspace import Workspace

CODE = """from magellan.strategy.contract import *


class Gap(Strategy):
    def enter_long(self, f, p):
        return f.close > f.open
"""


def keys_are(root: Path, number: int) -> None:
    (root / ".env").write_text(
        f"ALPACA_API_KEY=PKOFNOBODY{number}\nALPACA_API_SECRET=secret-of-nobody-{number}\n"
    )
    (root / ".env").chmod(0o600)


def prepared(root: Path) -> PreparedSession:
    (root / "magellan.toml").write_text(
        'format = 1\n[accounts.desk]\nkind = "paper"\nnumber = "PA3"\n[stages.test]\naccount = "desk"\n'
    )
    folder = root / "test" / "gap"
    folder.mkdir(parents=True)
    (folder / "strategy.py").write_text(CODE)
    config = {"strategy": {"name": "gap", "version": "1.0.0", "kind": "trend"}, "symbols": ["AMC"]}
    (folder / "config.json").write_text(json.dumps(config))
    keys_are(root, 1)
    return prepared_session(Workspace.at(root), load_strategy(folder), Asked(account="desk"), {})


def test_keys_that_were_rotated_since_are_taken_and_hidden_like_the_first(tmp_path: Path) -> None:
    session = prepared(tmp_path)
    try:
        assert session.with_newest_keys() is session, "nothing was changed"
        keys_are(tmp_path, 2)
        newest = session.with_newest_keys()
        try:
            assert newest.keys is not None
            assert newest.keys.secret.get_secret_value() == "secret-of-nobody-2"
            assert {"secret-of-nobody-1", "secret-of-nobody-2"} <= set(newest.secrets)
            assert newest.with_newest_keys() is newest
        finally:
            newest.ledger.close()
    finally:
        session.ledger.close()


def test_where_the_keys_are_gone_those_from_before_hold(tmp_path: Path) -> None:
    session = prepared(tmp_path)
    (tmp_path / ".env").unlink()
    assert session.with_newest_keys() is session
    session.ledger.close()
