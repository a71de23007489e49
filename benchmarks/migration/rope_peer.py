"""The same moves by rope, for comparison. Needs rope in the interpreter that runs it, and nothing of ours.

    VENV/bin/python benchmarks/migration/rope_peer.py COPY MAPPING.json

COPY is a copy of the project, MAPPING.json what `real_projects --keep` left beside its own copy. Prints seconds, and
which moves failed; run the project's tests in COPY afterwards.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from rope.base.exceptions import RopeError
from rope.base.project import Project
from rope.refactor.move import create_move


def main() -> None:
    """Carry the mapping out, one module after the other, as rope wants it."""
    root, mapping = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    for move in mapping["moves"]:
        folder = (root / move["to"]).parent
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
    begun, failed = time.perf_counter(), []
    project = Project(str(root), ropefolder=None)
    for move in mapping["moves"]:
        try:
            mover = create_move(project, project.get_resource(move["from"]))
            target = project.get_resource(str(Path(move["to"]).parent))
            project.do(mover.get_changes(target))
        except RopeError as error:
            failed.append(f"{move['from']}: {error}")
    took_s = round(time.perf_counter() - begun, 1)
    print(json.dumps({"moves": len(mapping["moves"]), "seconds": took_s, "failed": failed}))


if __name__ == "__main__":
    main()
