"""Compare an engine's outcome with the reference's, in a process of its own, so that the runner stays small.

    python -m benchmarks.compare outcome.npz w1:1000000

The runner must not load arrays: a child's peak of memory includes what its parent held when it was started.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks import outcome
from benchmarks.reference import stored_reference
from benchmarks.workloads import Job

if __name__ == "__main__":
    path, job = sys.argv[1:]
    reference = outcome.load(stored_reference(Job.parse(job)))
    print(json.dumps({"differences": outcome.differences(outcome.load(Path(path)), reference)}))
