"""`file_analysis.json`: everything that a scan found, for programs."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from magellan.migration.imports import Origin
from magellan.migration.scan.scan import Scan

FILE_NAME: Final = "file_analysis.json"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImportOf(_Part):
    """One module that a file imports."""

    name: str
    line: int
    origin: Origin
    path: str | None = Field(None, description="The file of the tree, where it resolves to one.")


class EffectOf(_Part):
    """Something that happens when the file is only imported."""

    line: int
    kind: str
    what: str


class FileAnalysis(_Part):
    """One file."""

    path: str
    kind: str
    size_bytes: int
    sha256: str = Field(description="Empty where the file could not be read.")
    problem: str = ""
    module: str | None = None
    category: str | None = Field(None, description="Null where nothing speaks for any.")
    confidence: float = Field(ge=0, le=1)
    instead: str | None = Field(None, description="The second best category.")
    package: str | None = None
    reasons: tuple[str, ...] = ()
    imports: tuple[ImportOf, ...] = ()
    imported_by: tuple[str, ...] = ()
    effects: tuple[EffectOf, ...] = ()
    imported: bool | None = Field(None, description="Whether an import succeeded; null where none was tried.")
    error: str = ""


class NearDuplicate(_Part):
    """Two files that share much."""

    one: str
    other: str
    share: float = Field(ge=0, le=1)


class StartedBy(_Part):
    """A way to start a file."""

    path: str
    by: str


class CauseOf(_Part):
    """Why modules cannot be imported."""

    what: str
    next_step: str
    breaks: tuple[str, ...]


class FoundThing(_Part):
    """Something that a person should know."""

    path: str
    what: str


class FileAnalysisDocument(_Part):
    """The whole file."""

    version: int = 1
    layout: str
    source_roots: tuple[str, ...]
    isolation: str | None = Field(None, description="How imports were tried; null where none was.")
    files: tuple[FileAnalysis, ...]
    circles: tuple[tuple[str, ...], ...]
    copies: tuple[tuple[str, ...], ...]
    near_duplicates: tuple[NearDuplicate, ...]
    dead: tuple[str, ...]
    entry_points: tuple[StartedBy, ...]
    causes: tuple[CauseOf, ...]
    findings: tuple[FoundThing, ...]


def analysis_of(scan: Scan) -> FileAnalysisDocument:
    """The document for a scan."""
    activation = scan.activation
    tried = {each.path: each for each in activation.tried} if activation else {}
    files = []
    for file, judged in zip(scan.files, scan.judged, strict=True):
        attempt = tried.get(file.path)
        files.append(
            FileAnalysis(
                path=_text(file.path),
                kind=str(file.kind),
                size_bytes=file.size,
                sha256=file.sha256,
                problem=file.problem,
                module=file.module,
                category=judged.category,
                confidence=round(judged.confidence, 3),
                instead=judged.instead,
                package=judged.package,
                reasons=judged.reasons,
                imports=tuple(
                    ImportOf(name=each.name, line=each.line, origin=each.origin, path=each.path)
                    for each in file.imports
                ),
                imported_by=tuple(sorted(scan.graph.imported_by.get(file.path, ()))),
                effects=tuple(
                    EffectOf(line=each.line, kind=str(each.kind), what=each.what) for each in file.effects
                ),
                imported=None if attempt is None else attempt.succeeded,
                error="" if attempt is None or attempt.succeeded else f"{attempt.error}: {attempt.message}",
            )
        )
    return FileAnalysisDocument(
        layout=scan.layout,
        source_roots=scan.source_roots,
        isolation=None if activation is None else str(activation.isolation),
        files=tuple(files),
        circles=scan.circles,
        copies=scan.copies,
        near_duplicates=tuple(
            NearDuplicate(one=pair.one, other=pair.other, share=round(pair.share, 3)) for pair in scan.near
        ),
        dead=scan.dead,
        entry_points=tuple(StartedBy(path=each.path, by=each.by) for each in scan.entry_points),
        causes=tuple(
            CauseOf(what=each.what, next_step=each.next_step, breaks=each.breaks)
            for each in (activation.causes if activation else ())
        ),
        findings=tuple(FoundThing(path=_text(each.path), what=each.what) for each in scan.findings),
    )


def analysis_schema() -> dict[str, Any]:
    """The JSON Schema of the file."""
    schema = FileAnalysisDocument.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _text(path: str) -> str:
    """The path as text that any encoding can write: a name on disk need not be UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()
