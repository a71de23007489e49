"""Keeps `ports.import_sandbox.ImportSandbox`: a few processes, each trying one import after the other."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from magellan.errors import FixInput
from magellan.migration.scan.activation import (
    DIED,
    TIME_LIMIT,
    ImportToTry,
    Isolation,
    Touch,
    TriedImport,
)
from magellan.migration.source_tree import IGNORED_FOLDERS

_FOLDER: Final = Path(__file__).parent
_PROGRAM: Final = (
    f"import sys; sys.path.insert(0, sys.argv[1]); from {_FOLDER.name}.import_attempt import main; main()"
)


class LocalImportSandbox:
    """Imports of one folder's modules, by the interpreter that the project uses."""

    def __init__(
        self,
        folder: Path,
        *,
        python: str = sys.executable,
        workers: int = 2,
        time_limit_s: float = 20.0,
        memory_limit_bytes: int = 2 << 30,
        namespaces: bool = True,
    ) -> None:
        self._python = python
        self._workers = workers
        self._settings = {
            "tree": os.path.realpath(folder),
            "time_limit_s": time_limit_s,
            "memory_limit_bytes": memory_limit_bytes,
            "namespaces": namespaces,
            "ignored": sorted(IGNORED_FOLDERS),
        }
        probe = _Worker(self._python, self._settings)
        self._isolation = probe.isolation
        probe.end()

    @property
    def isolation(self) -> Isolation:
        """See the port."""
        return self._isolation

    def try_imports(
        self,
        modules: Sequence[ImportToTry],
        imports: Mapping[str, frozenset[str]] = {},
        *,
        within_s: float | None = None,
    ) -> Iterator[TriedImport]:
        """See the port."""
        line = _Line(modules, imports, within_s)
        answers: queue.SimpleQueue[TriedImport | Exception | None] = queue.SimpleQueue()

        def work() -> None:
            worker = None
            try:
                while (left := line.next()) is not None:
                    module, left_s = left
                    if worker is None or not worker.is_alive:
                        worker = line.hired(_Worker(self._python, self._settings))
                    tried = worker.ask(module, left_s)
                    if tried is not None:
                        line.learn(tried)
                        answers.put(tried)
            except (OSError, FixInput) as error:
                answers.put(error)
            finally:
                if worker is not None:
                    worker.end()
                answers.put(None)

        threads = [
            threading.Thread(target=work, daemon=True) for _ in range(min(self._workers, len(modules)))
        ]
        for thread in threads:
            thread.start()
        working = len(threads)
        try:
            while working:
                answer = answers.get()
                if isinstance(answer, Exception):
                    raise answer
                if answer is None:
                    working -= 1
                else:
                    yield answer
        finally:  # also where nobody wants to hear more, and at Ctrl-C
            line.close()
            for thread in threads:
                thread.join()


class _Line:
    """Modules that wait for their turn, shared by all threads."""

    def __init__(
        self, modules: Sequence[ImportToTry], imports: Mapping[str, frozenset[str]], within_s: float | None
    ) -> None:
        self._waiting = deque(modules)
        self._late: deque[ImportToTry] = deque()
        self._imports = imports
        self._until = None if within_s is None else time.monotonic() + within_s
        self._lock = threading.Lock()
        self._is_closed = False
        self._workers: list[_Worker] = []

    def next(self) -> tuple[ImportToTry, float | None] | None:
        """The next one, and the seconds that are left for all; None where there is none, or no time."""
        with self._lock:
            left_s = None if self._until is None else self._until - time.monotonic()
            if self._is_closed or (left_s is not None and left_s <= 0):
                return None
            waiting = self._waiting or self._late
            return (waiting.popleft(), left_s) if waiting else None

    def learn(self, tried: TriedImport) -> None:
        """What imports a module that used up its time will do so too: it waits until all others had their turn."""
        if tried.error != TIME_LIMIT:
            return
        with self._lock:
            slow = {tried.path}
            grown = True
            while grown:
                more = {path for path, met in self._imports.items() if path not in slow and met & slow}
                slow |= more
                grown = bool(more)
            kept = [each for each in self._waiting if each.path not in slow]
            self._late.extend(each for each in self._waiting if each.path in slow)
            self._waiting = deque(kept)

    def hired(self, worker: _Worker) -> _Worker:
        """The worker, known to `close`."""
        with self._lock:
            self._workers.append(worker)
            if self._is_closed:
                worker.stop()
        return worker

    def close(self) -> None:
        """Nothing begins any more, and what is being tried is stopped."""
        with self._lock:
            self._is_closed = True
            for worker in self._workers:
                worker.stop()


class _Worker:
    """One process that forks for each import."""

    def __init__(self, python: str, settings: Mapping[str, Any]) -> None:
        self._writing = threading.Lock()
        try:
            self._process = subprocess.Popen(
                [python, "-I", "-B", "-c", _PROGRAM, str(_FOLDER.parent)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        except OSError as error:
            raise FixInput(
                f"{python} cannot be started: {error.strerror}", next_step="name another"
            ) from error
        answer = self._exchange(settings)
        if answer is None:
            self.end()
            raise FixInput(
                f"{python} cannot try imports: it ended at once",
                next_step="name an interpreter of Python 3.8 or newer",
            )
        self.isolation = Isolation.NAMESPACES if answer["namespaces"] else Isolation.GUARD

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, module: ImportToTry, left_s: float | None) -> TriedImport | None:
        """What came of it; None where the time for all was up before its own."""
        answer = self._exchange(
            {
                "path": module.path,
                "name": module.name,
                "search": module.search,
                "search_last": module.search_last,
                "left_s": left_s,
            }
        )
        if answer is None:
            if self._process.stdin is None or self._process.stdin.closed:
                return None
            self._process.wait()
            return TriedImport(path=module.path, error=DIED, message="the sandbox ended with it")
        if "cut_off" in answer:
            return None
        return TriedImport(
            path=module.path,
            error=answer["error"],
            message=answer.get("message", ""),
            missing=answer.get("missing", ""),
            place=answer.get("place", ""),
            took_s=answer["took_s"],
            touched=tuple((Touch(kind), what) for kind, what in answer["touched"]),
        )

    def stop(self) -> None:
        """Let it stop what it does, clear up and end: it does where nobody can ask it any more."""
        assert self._process.stdin is not None, "it is a pipe"
        with self._writing:
            self._process.stdin.close()

    def end(self) -> None:
        """Wait until it has ended."""
        assert self._process.stdout is not None, "it is a pipe"
        self.stop()
        self._process.wait()
        self._process.stdout.close()

    def _exchange(self, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """Its answer; None where it has ended, or was stopped."""
        assert self._process.stdin is not None and self._process.stdout is not None, "they are pipes"
        try:
            with self._writing:
                if self._process.stdin.closed:
                    return None
                self._process.stdin.write(json.dumps(message) + "\n")
                self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            return None
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer
