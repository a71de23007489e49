"""The Systems Manager document of a target: the one thing that a controller may let its machine do.

Its parameters have closed forms, and the verb is one of a list; with Amazon's own AWS-RunShellScript in its place
whoever holds the controller's credentials would have a root shell.
"""

from __future__ import annotations

import json
from typing import Any, Final

from magellan.deploy.host_calls import VERBS
from magellan.deploy.single_call import FORMS
from magellan.workspace.aws_target import AwsTarget

_DESCRIPTIONS: Final = {
    "id": "The call, the same however often it is delivered.",
    "before": "Seconds of 1970; a call that comes later does nothing.",
    "question": "What is asked, as `magellan host call` reads it.",
    "content": "SHA-256 of what lies in S3 for it, or none.",
}


def document_of(name: str, target: AwsTarget) -> dict[str, Any]:
    """name: the target's, as magellan.toml has it."""
    words = " ".join(f"--{word} '{{{{ {word} }}}}'" for word in FORMS)
    command = (
        f"exec runuser -u {target.user} -- {target.python} -P -m magellan host call {name} '{{{{ verb }}}}' "
        f"{words} --workspace {target.folder}"
    )
    parameters: dict[str, Any] = {
        "verb": {
            "type": "String",
            "description": "Which of the calls of a roll-out.",
            "allowedValues": sorted(VERBS),
        }
    }
    for word, form in FORMS.items():
        parameters[word] = {
            "type": "String",
            "description": _DESCRIPTIONS[word],
            "allowedPattern": form,
        }
    return {
        "schemaVersion": "2.2",
        "description": f"A call of a Magellan roll-out on the target {name}.",
        "parameters": parameters,
        "mainSteps": [
            {
                "action": "aws:runShellScript",
                "name": "hostCall",
                "inputs": {
                    "timeoutSeconds": str(target.answer_within_s),
                    "workingDirectory": target.folder,
                    "runCommand": ["set -eu", "umask 077", command],
                },
            }
        ],
    }


def document_text(name: str, target: AwsTarget) -> str:
    """The document as it is stored; the same target gives the same text."""
    return json.dumps(document_of(name, target), indent=2) + "\n"
