"""IAM policies of a target: what the controller, the machine and the keeper of its document may do, and no more.

Each action is needed: taking any of them away makes a test fail. Where an action has no resource of its own in Amazon's
model, the resource is "*", and the comment says so.
"""

from __future__ import annotations

from typing import Any

from magellan.workspace.aws_names import bucket_path
from magellan.workspace.aws_target import AwsTarget


def controller_policy(target: AwsTarget, document: str) -> dict[str, Any]:
    """Of whoever deploys: calls by that one document to that one machine."""
    return _policy(
        _allow(
            "SendTheOneDocumentToTheOneMachine",
            ["ssm:SendCommand"],
            [_document(target, document), _machine(target)],
        ),
        # Neither has a resource of its own: an id of a command is known only to whoever sent it.
        _allow("WaitForIt", ["ssm:GetCommandInvocation", "ssm:CancelCommand"], ["*"]),
        _allow("LayContentForIt", ["s3:PutObject"], [_calls(target)]),
    )


def machine_policy(target: AwsTarget) -> dict[str, Any]:
    """Of the machine's role, beside what Amazon's agent needs: content of calls, and the keys of its accounts."""
    parameters = f"arn:aws:ssm:{target.region}:{target.account}:parameter/magellan/*"
    return _policy(
        _allow("FetchContentOfCalls", ["s3:GetObject"], [_calls(target)]),
        _allow("ReadKeysOfAccounts", ["ssm:GetParameter"], [parameters]),
    )


def preparer_policy(target: AwsTarget, document: str) -> dict[str, Any]:
    """Of whoever makes and changes the document: more than a roll-out needs, so it is a policy of its own."""
    return _policy(
        _allow(
            "KeepTheDocument",
            [
                "ssm:GetDocument",
                "ssm:CreateDocument",
                "ssm:UpdateDocument",
                "ssm:UpdateDocumentDefaultVersion",
                "ssm:DeleteDocument",
            ],
            [_document(target, document)],
        ),
    )


def release_store_policy(store: str) -> dict[str, Any]:
    """Of whoever builds, deploys and prunes releases in s3://bucket/prefix."""
    bucket, prefix = bucket_path(store)
    inside = f"{prefix}/*" if prefix else "*"
    return _policy(
        _allow("SeeReleases", ["s3:ListBucket", "s3:ListBucketVersions"], [f"arn:aws:s3:::{bucket}"]),
        _allow(
            "KeepReleases",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion"],
            [f"arn:aws:s3:::{bucket}/{inside}"],
        ),
    )


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(sid: str, actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}


def _document(target: AwsTarget, document: str) -> str:
    return f"arn:aws:ssm:{target.region}:{target.account}:document/{document}"


def _machine(target: AwsTarget) -> str:
    if target.instance.startswith("mi-"):
        return f"arn:aws:ssm:{target.region}:{target.account}:managed-instance/{target.instance}"
    return f"arn:aws:ec2:{target.region}:{target.account}:instance/{target.instance}"


def _calls(target: AwsTarget) -> str:
    bucket, prefix = bucket_path(target.bucket)
    return f"arn:aws:s3:::{bucket}/{prefix + '/' if prefix else ''}calls/*"
