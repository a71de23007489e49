"""`magellan release show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.release_options import ReleaseArgument, Shelf, StrategyNameArgument, strategy_name

if TYPE_CHECKING:
    from magellan.usecases.releases import Opened


def release_show(
    strategy: StrategyNameArgument,
    release: ReleaseArgument = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a release is made of: who built it, from what, and what the gates said."""
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.releases import open_release

    shelf = Shelf.of(workspace)
    opened = open_release(shelf.store, strategy_name(strategy), release, trusted_keys=shelf.trusted_keys)
    document = {
        "name": opened.stored.name,
        "release_id": opened.stored.release_id,
        "stored_at": opened.stored.stored_at,
        "bytes": opened.stored.size,
        "signed_by": opened.signer,
        "manifest": opened.artifact.manifest,
    }
    emit(document, as_json=as_json, human=lambda: _show(opened))


def _show(opened: Opened) -> None:
    from magellan.release.manifest import ENGINE, STRATEGY
    from magellan.surfaces.cli.output import say

    manifest, stored = opened.artifact.manifest, opened.stored
    commit = manifest.commit
    engine = sum(file.path.startswith(f"{ENGINE}/") for file in manifest.files)
    rows = {
        "id": stored.release_id,
        "built": f"{stored.stored_at:%Y-%m-%d %H:%M}Z by {manifest.author}",
        "signed": f"by {opened.signer}" if opened.signer else "by a key that magellan.toml does not trust",
        "version": f"{manifest.version} ({manifest.kind})",
        "engine": f"Magellan {manifest.engine_version}, {engine} files",
        "commit": "none"
        if commit is None
        else f"{commit.id}{'' if commit.is_clean else ', and edits after it'}",
        "code": f"sha256 {manifest.code_sha256}",
        "config": f"sha256 {manifest.config_sha256}",
        "gates": f"{manifest.gate.answer}, judged {manifest.gate.judged_at:%Y-%m-%d %H:%M}Z",
    }
    say(stored.name)
    for name, value in rows.items():
        say(f"  {name:<8}  {value}")
    if manifest.gate.not_open:
        say(f"            not open: {', '.join(manifest.gate.not_open)}")
    for file in manifest.files:
        if file.path.startswith(f"{STRATEGY}/"):
            say(f"  {file.sha256[:12]}  {file.size:>9,}  {file.path.removeprefix(f'{STRATEGY}/')}")
    for data in manifest.data_ids:
        say(f"  data      {data}")
