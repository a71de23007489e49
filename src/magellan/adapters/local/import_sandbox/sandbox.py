"""Keeps `ports.import_sandbox.ImportSandbox`: a few processes, each trying one import after the other."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from magellan.errors import FixInput
from magellan.migration.scan.activation import DIED, ImportToTry, Isolation, Touch, TriedImport
from magellan.migration.source_tree import IGNORED_FOLDERS

_PROGRAM: Final = Path(__file__).with_name("import_attempt.py")


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
        self, modules: Sequence[ImportToTry], *, on_done: Callable[[int, int], None] | None = None
    ) -> tuple[TriedImport, ...]:
        """See the port."""
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(len(modules)):
            waiting.put(number)
        found: dict[int, TriedImport] = {}
        errors: list[BaseException] = []
        lock = threading.Lock()

        def work() -> None:
            try:
                worker = _Worker(self._python, self._settings)
                while True:
                    try:
                        number = waiting.get_nowait()
                    except queue.Empty:
                        break
                    if errors:
                        break
                    tried = worker.ask(modules[number])
                    if tried.error == DIED and not worker.is_alive:
                        worker = _Worker(self._python, self._settings)
                    with lock:
                        found[number] = tried
                        if on_done is not None:
                            on_done(len(found), len(modules))
                worker.end()
            except (OSError, FixInput) as error:
                errors.append(error)

        threads = [
            threading.Thread(target=work, daemon=True) for _ in range(min(self._workers, len(modules)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return tuple(found[number] for number in range(len(modules)))


class _Worker:
    """One process that forks for each import."""

    def __init__(self, python: str, settings: dict[str, Any]) -> None:
        try:
            self._process = subprocess.Popen(
                [python, "-I", "-B", str(_PROGRAM)],
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
            raise FixInput(
                f"{python} cannot try imports: it ended at once",
                next_step="name an interpreter of Python 3.8 or newer",
            )
        self.isolation = Isolation.NAMESPACES if answer["namespaces"] else Isolation.GUARD

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, module: ImportToTry) -> TriedImport:
        answer = self._exchange({"path": module.path, "name": module.name, "search": module.search})
        if answer is None:
            return TriedImport(path=module.path, error=DIED, message="the sandbox ended with it")
        return TriedImport(
            path=module.path,
            error=answer["error"],
            message=answer.get("message", ""),
            missing=answer.get("missing", ""),
            place=answer.get("place", ""),
            took_s=answer["took_s"],
            touched=tuple((Touch(kind), what) for kind, what in answer["touched"]),
        )

    def end(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None, "they are pipes"
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _exchange(self, message: dict[str, Any]) -> dict[str, Any] | None:
        assert self._process.stdin is not None and self._process.stdout is not None, "they are pipes"
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.wait()
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer
