"""`magellan audit sign`."""

from __future__ import annotations

import os

from magellan.surfaces.cli.audit_options import opened_records
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def audit_sign(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Sign where every chain ends now, with the key that signs your releases.

    The checkpoint is kept in .magellan/audit/checkpoints.jsonl. Copy that file
    to where whoever works on this machine cannot write: from then on, a chain
    that was cut off or written anew does not pass `magellan audit verify
    --checkpoints COPY`. Nothing is signed that does not verify.
    """
    from datetime import UTC, datetime

    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.audit import sign_checkpoint
    from magellan.wiring.records import checkpoints
    from magellan.wiring.releases import release_key

    with opened_records(workspace) as records:
        kept = checkpoints(records.workspace)
        signed = sign_checkpoint(
            records.ledger,
            records.changes,
            kept,
            release_key(os.environ),
            trusted_keys=records.workspace.settings.releases.trusted_keys,
            clock=lambda: datetime.now(UTC),
        )
    heads = {name: str(head) for name, head in signed.heads.items()}

    def show() -> None:
        for name, head in heads.items():
            say(f"{name} {head}")
        say(f"signed, in {kept.place}; keep a copy of it elsewhere")

    emit(
        {
            "at": signed.at,
            "heads": heads,
            "public_key": signed.public_key,
            "signature": signed.signature,
            "file": kept.place,
        },
        as_json=as_json,
        human=show,
    )
