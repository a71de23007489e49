"""IAM as Amazon enforces it: who asks is who signed, and each action is held against the resource that it touches.

Moto enforces actions and, for S3, resources; where many objects are removed at once it asks for the bucket, and Amazon
for each of them. Of Systems Manager it knows no resources; here they are added, from Amazon's own list: SendCommand
needs its document and its machine, a document's actions the document, a parameter's the parameter, and the two that
wait for a command have none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock
from xml.etree import ElementTree

from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.access_control import IAMRequestBase

_WITHOUT_RESOURCE = {"ssm:GetCommandInvocation", "ssm:CancelCommand"}


@contextmanager
def enforced(region: str, account: str) -> Iterator[None]:
    """Every call is authorised while the block runs."""
    permitted = IAMRequestBase.check_action_permitted

    def check(request: Any, resource: str) -> None:
        many = _objects(request._action, request._body, resource)
        for each in many or _resources(request._action, request._body, region, account) or (resource,):
            permitted(request, each)

    with (
        mock.patch.object(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0),
        mock.patch.object(ActionAuthenticatorMixin, "request_count", 0),
        mock.patch.object(IAMRequestBase, "check_action_permitted", check),
    ):
        yield


def _objects(action: str, body: bytes, bucket: str) -> tuple[str, ...]:
    """Each of many objects that are to be removed."""
    if action != "s3:DeleteObject" or b"<Delete" not in body:
        return ()
    return tuple(
        f"{bucket.rstrip('/')}/{each.text}" for each in ElementTree.fromstring(body).iterfind(".//{*}Key")
    )


def _resources(action: str, body: bytes, region: str, account: str) -> tuple[str, ...]:
    if not action.startswith("ssm:") or action in _WITHOUT_RESOURCE:
        return ()
    asked: dict[str, Any] = json.loads(body)
    if action == "ssm:SendCommand":
        machines = (f"arn:aws:ec2:{region}:{account}:instance/{each}" for each in asked["InstanceIds"])
        return (f"arn:aws:ssm:{region}:{account}:document/{asked['DocumentName']}", *machines)
    if action.endswith("Parameter"):
        return (f"arn:aws:ssm:{region}:{account}:parameter/{asked['Name'].lstrip('/')}",)
    return (f"arn:aws:ssm:{region}:{account}:document/{asked['Name']}",)


def without(policy: Mapping[str, Any], action: str) -> dict[str, Any]:
    """The policy with that action taken away."""
    left = []
    for statement in policy["Statement"]:
        actions = [each for each in statement["Action"] if each != action]
        if actions:
            left.append({**statement, "Action": actions})
    return {**policy, "Statement": left}


def actions_of(policy: Mapping[str, Any]) -> list[str]:
    """Every action that it allows."""
    return [action for statement in policy["Statement"] for action in statement["Action"]]
