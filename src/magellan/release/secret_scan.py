"""Secret scan: what looks like a credential, or is one of ours, must not get into a release.

Known forms are found by detect-secrets; Alpaca's keys, which it does not know, by their letters; and whatever the
workspace itself knows as a secret by its value, in any file, text or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings

# All that look for a certain form. Those that measure entropy take every digest for a secret.
_FORMS: Final = (
    "ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "CloudantDetector",
    "DiscordBotTokenDetector", "GitHubTokenDetector", "GitLabTokenDetector", "JwtTokenDetector", "KeywordDetector",
    "MailchimpDetector", "NpmDetector", "OpenAIDetector", "PrivateKeyDetector", "PypiTokenDetector",
    "SendGridDetector", "SlackDetector", "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)  # fmt: skip
_ALPACA: Final = re.compile(rb"(?<![A-Za-z0-9])[PAC]K[A-Z0-9]{16,24}(?![A-Za-z0-9])")
_NONE: Final = b"pragma: allowlist secret"  # the mark that detect-secrets knows
_SHORTEST: Final = 8  # characters of a secret that is looked for by value: shorter ones are found in any text


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Something in a file that must not be there. Never holds the secret itself."""

    path: str
    line: int  # from 1; 0 where the file is no text
    what: str


def leaks(files: Mapping[str, bytes], known: Mapping[str, str]) -> tuple[Leak, ...]:
    """Every leak, by file and line.

    files: by path. known: secrets of the workspace, by the name that it knows them by.
    """
    settings = {"plugins_used": [{"name": form} for form in _FORMS]}
    with transient_settings(settings):
        return tuple(leak for path in sorted(files) for leak in _in_file(path, files[path], known))


def _in_file(path: str, content: bytes, known: Mapping[str, str]) -> Iterator[Leak]:
    values = {name: value.encode() for name, value in known.items() if len(value) >= _SHORTEST}
    for number, line in enumerate(content.splitlines(), start=1):
        named = [name for name, value in values.items() if value in line]
        if named:
            yield Leak(path=path, line=number, what=f"the value of {named[0]}")
        elif _ALPACA.search(line) and _NONE not in line:
            yield Leak(path=path, line=number, what="an Alpaca key")
        else:
            found = sorted({each.type for each in scan_line(line.decode(errors="replace"))})
            if found:
                yield Leak(path=path, line=number, what=found[0])
