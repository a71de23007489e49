"""A single call: one question to a host and its answer, for a way there that takes short words and shows little.

The words are few and of closed alphabets, so that nothing in them can become a command. What is large travels beside
them and is named by its SHA-256. The answer is text of 20,000 characters at most, since more is cut on the way.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from magellan.deploy.host_calls import Question, parsed_question
from magellan.errors import AskOperator

ANSWER_CHARACTERS_MAX: Final = 20_000
QUESTION_CHARACTERS_MAX: Final = 3_000
# Of each word, the only form that it may have; a document that carries it says so too.
FORMS: Final[Mapping[str, str]] = {
    "id": r"^[0-9a-f]{32}$",
    "before": r"^[0-9]{10}$",
    "question": rf"^[A-Za-z0-9_-]{{4,{QUESTION_CHARACTERS_MAX}}}$",
    "content": r"^([0-9a-f]{64}|none)$",
}
_PACKED: Final = "zlib:"
_END: Final = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleCall:
    """A call on its way."""

    id: str  # the same however often it is delivered
    before: datetime  # aware, UTC; a host that gets it later does nothing
    question: Question
    content_sha256: str | None  # of what travels beside it

    @classmethod
    def of(cls, question: Question, content_sha256: str | None, *, before: datetime) -> Self:
        """A new one."""
        return cls(id=secrets.token_hex(16), before=before, question=question, content_sha256=content_sha256)

    def words(self) -> dict[str, str]:
        """As it is sent. Each fits its form."""
        line = self.question.written().rstrip(b"\n")
        words = {
            "id": self.id,
            "before": f"{int(self.before.timestamp()):010}",
            "question": base64.urlsafe_b64encode(line).decode().rstrip("="),
            "content": self.content_sha256 or "none",
        }
        for name, word in words.items():
            if not re.fullmatch(FORMS[name], word):
                raise AskOperator(
                    f"`{self.question.verb}` cannot be sent: its {name} has {len(word)} characters",
                    kept="the host as it is",
                    next_step="use shorter names for the account and the strategy",
                )
        return words

    @classmethod
    def read(cls, words: Mapping[str, str]) -> Self:
        """Raises AskOperator for words that `words` did not write."""
        for name, form in FORMS.items():
            if not re.fullmatch(form, words[name]):
                raise AskOperator(f"the {name} of the call is not of its form", kept="the host as it is")
        coded = words["question"]
        try:
            line = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
        except binascii.Error:
            raise AskOperator("the question of the call cannot be read", kept="the host as it is") from None
        return cls(
            id=words["id"],
            before=datetime.fromtimestamp(int(words["before"]), UTC),
            question=parsed_question(line),
            content_sha256=None if words["content"] == "none" else words["content"],
        )


def answer_text(lines: bytes) -> str:
    """Lines of an answer as text, packed where they would be cut, and with a mark at the end."""
    text = lines.decode()
    if len(text) > ANSWER_CHARACTERS_MAX:
        text = _PACKED + base64.b64encode(zlib.compress(lines, 9)).decode() + "\n"
    return f"{text}{_END}\n"


def is_short_enough(text: str) -> bool:
    """Whether all of it is shown at the other end."""
    return len(text) <= ANSWER_CHARACTERS_MAX + len(_END) + 1


def answer_lines(text: str, *, name: str) -> list[bytes]:
    """The lines of an answer's text. Raises AskOperator for one that was cut, or is none."""
    body, _, end = text.rstrip("\n").rpartition("\n")
    if end != _END:
        raise AskOperator(
            f"{name} answered {len(text):,} characters, which were cut, or are no answer: {text[:200]!r}",
            kept="what the call had done by then",
            next_step="see what is installed there with `magellan deployments`",
        )
    if body.startswith(_PACKED):
        try:
            return zlib.decompress(base64.b64decode(body.removeprefix(_PACKED))).splitlines()
        except (zlib.error, binascii.Error):
            raise AskOperator(f"{name} answered what cannot be unpacked") from None
    return body.encode().splitlines()
