"""Everything that is generated for an AWS target, as files that a person reads and an administrator applies."""

from __future__ import annotations

import json
from typing import Any

from magellan.adapters.aws.document import document_text
from magellan.adapters.aws.policy import (
    controller_policy,
    machine_policy,
    preparer_policy,
    release_store_policy,
)
from magellan.workspace.aws_target import AwsTarget


def generated_for(name: str, target: AwsTarget, *, store: str | None) -> dict[str, str]:
    """By file name. store: the releases' place in S3; None: they are not there."""
    document = target.document_name(name)
    files = {
        f"{document}.json": document_text(name, target),
        "policy-controller.json": _written(controller_policy(target, document)),
        "policy-machine.json": _written(machine_policy(target)),
        "policy-preparer.json": _written(preparer_policy(target, document)),
    }
    if store is not None:
        files["policy-releases.json"] = _written(release_store_policy(store))
    return files


def _written(policy: dict[str, Any]) -> str:
    return json.dumps(policy, indent=2) + "\n"
