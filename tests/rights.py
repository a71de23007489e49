"""What the user who runs the tests may do."""

import os
import tempfile


def _may_everything() -> bool:
    with tempfile.NamedTemporaryFile() as file:
        os.chmod(file.name, 0)
        try:
            os.close(os.open(file.name, os.O_RDONLY))
        except PermissionError:
            return False
    return True


MAY_EVERYTHING = _may_everything()
"""Whether permission bits do not bind: root, unless it has given that right away (as CI's has)."""
