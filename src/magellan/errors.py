"""What can go wrong, split by what the caller should do about it.

    MagellanError
    ├── FixInput      what was given cannot work: change it, then call again
    ├── TryAgain      the world was not ready: the same call may succeed later
    ├── AskOperator   a person must look, or decide, before anything more happens
    └── Interrupted   a person stopped the work

Raise one of the four, or a class of your own below one of them where a caller must tell it apart. Catch
where you can do what its name says. Expected outcomes (no fill, denied, nothing to do) are return values.
"""

import re
from typing import ClassVar


class MagellanError(Exception):
    """An error that a person can act on. Never shown as a traceback.

    message:   what happened, naming the file, row, key or symbol at fault.
    kept:      what is safe on disk or at the broker in spite of it; "" when nothing was at stake.
    next_step: what to do now; "" when the message says it already.
    """

    exit_code: ClassVar[int] = 1  # of the process, when the command line ends with this error

    def __init__(self, message: str, *, kept: str = "", next_step: str = "") -> None:
        assert message, "an error says what happened"
        # Only the message goes to args, and the rest stays an attribute: so errors survive the pickling
        # between the processes of a sweep.
        super().__init__(message)
        self.message = message
        self.kept = kept
        self.next_step = next_step

    @property
    def code(self) -> str:
        """The name for documents and `--json`: `FixInput` is "fix-input"."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", type(self).__name__).lower()

    def __str__(self) -> str:
        """One to three plain lines: what happened, what was kept, what to do."""
        lines = [self.message]
        if self.kept:
            lines.append(f"kept: {self.kept}")
        if self.next_step:
            lines.append(f"next: {self.next_step}")
        return "\n".join(lines)


class FixInput(MagellanError):
    """What was given (a file, an option, a config key, a range) cannot work. Change it, then call again."""


class TryAgain(MagellanError):
    """The world was not ready (a vendor's limit, a lost connection). The same call may succeed later."""


class AskOperator(MagellanError):
    """A person must look, or decide, before anything more happens."""


class Interrupted(MagellanError):
    """A person stopped the work. Raised where Ctrl-C arrives and we can say what was kept."""

    exit_code: ClassVar[int] = 130
