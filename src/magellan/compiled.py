"""Compiled kernels: one decorator, and a disk cache that cannot serve yesterday's machine code.

Numba looks only at the file in which a function stands to decide whether its cached machine code is still good. Ours
call one another across files and share record layouts, so a change in one file must throw away the code of all.
Therefore the cache folder carries a digest of every source file that takes part.
"""

from __future__ import annotations

import atexit
import gc
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager
from numba.core.typed_passes import NopythonTypeInference, PreLowerStripPhis
from numba.core.typing import Signature
from numba.core.untyped_passes import FixupArgs, IRProcessing, ReconstructSSA, TranslateByteCode

_PACKAGE = Path(__file__).parent
_WITH_KERNELS = ("backtest", "indicators", "regime", "strategy")
# Bear no mark, but hold constants, layouts and arithmetic that kernels are compiled with.
_COMPILED_IN = frozenset({"records.py", "fill_model.py"})
_MARKS = (b"@kernel", b"@kernel_part", b"@pure_kernel", b"@intrinsic", b"@njit")
_KEPT_FOLDERS = 4

Function = TypeVar("Function", bound=Callable[..., Any])


def sources_digest() -> str:
    """Digest of all source files that machine code is made from, and of Numba's version."""
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=12)
    digest.update(Path(__file__).read_bytes())
    for folder in _WITH_KERNELS:
        for path in sorted((_PACKAGE / folder).rglob("*.py")):
            text = path.read_bytes()
            if any(mark in text for mark in _MARKS) or path.name in _COMPILED_IN:
                digest.update(path.name.encode() + b"\0" + text)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where this version's machine code is kept: below NUMBA_CACHE_DIR when it is set, else in the user's cache."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base = Path(named) if named else user / "magellan"
    return base / "kernels" / sources_digest()


def _prepare() -> None:
    # A process that ends needs no garbage collected; looking through all of a compiler's objects takes 0.2 s.
    atexit.register(gc.freeze)
    folder = cache_folder()
    # Numba reads this when a function is decorated, so it is set before any of ours is.
    numba.config.CACHE_DIR = str(folder)
    if not folder.exists():
        older = sorted(folder.parent.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in older[_KEPT_FOLDERS - 1 :]:
            shutil.rmtree(path, ignore_errors=True)


def kernel(function: Function) -> Function:
    """Compile a function that works on arrays; cached on disk, releases the interpreter lock."""
    compiled: Function = njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)(function)
    return compiled


def pure_kernel(function: Function) -> Function:
    """Compile a function of numbers and records that makes no arrays: no reference counts, so cheap to call."""
    compiled: Function = njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True, _nrt=False)(
        function
    )
    return compiled


def kernel_part(function: Function) -> Function:
    """A pure kernel that only other kernels call: it cannot be called from Python, and is cached as part of them.

    A third of what compiling the replay cost were ways in from Python and
    machine code that nobody runs (docs/decisions/0031): a part has neither.
    """
    compiled: Function = njit(
        nogil=True,
        error_model="numpy",
        _nrt=False,
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        pipeline_class=_PartCompiler,
    )(function)
    return compiled


class _PartCompiler(CompilerBase):  # type: ignore[misc]  # Numba ships no types
    """Of Numba's passes those that parts need: they hold no closures, comprehensions or array expressions."""

    def define_pipelines(self) -> list[PassManager]:
        self.state.library = _PartLibrary(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        passes = PassManager("part of a kernel")
        for each in (
            TranslateByteCode,
            FixupArgs,
            IRProcessing,
            ReconstructSSA,
            NopythonTypeInference,
            PreLowerStripPhis,
        ):
            passes.add_pass(each, each.__name__)
        passes.passes.extend(DefaultPassBuilder.define_nopython_lowering_pipeline(self.state).passes)
        passes.finalize()
        return [passes]


class _PartLibrary(JITCodeLibrary):  # type: ignore[misc]  # likewise
    """The code of a part, waiting in LLVM's own language until a kernel with a way in from Python takes it in.

    Numba emits machine code of every function together with all that it calls, over and over up a chain of calls. Only
    what the outermost kernel holds is ever run.
    """

    def finalize(self) -> None:
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        # Optimised here, with all that it calls: what is left to the outermost kernel alone becomes 10 to 20 % slower.
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0  # no machine code of its own

    @property
    def codegen(self) -> _PartLibrary:
        return self

    def set_env(self, name: str, environment: object) -> None:
        """A part keeps no Python objects, and a kernel that is read from disk would not restore them either."""


def _search_builtins_once() -> None:
    """Let Numba search for a builtin's implementation once per types, and not at every place where it stands.

    Every `if` asks for `bool`, and Numba would try a dozen candidates each time, twice: a fifth of what compiling the
    replay took (docs/decisions/0031).
    """
    search = types.Function.get_call_type
    found: dict[tuple[Any, ...], Signature] = {}

    def get_call_type(
        function: types.Function, context: Any, args: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Signature | None:
        if keywords:
            signature: Signature | None = search(function, context, args, keywords)
            return signature
        signature = found.get((function, context, *args))
        if signature is None:  # nor is it remembered that there is none: somebody may still teach Numba one
            signature = search(function, context, args, keywords)
            if signature is not None:
                found[function, context, *args] = signature
        return signature

    types.Function.get_call_type = get_call_type


_prepare()
_search_builtins_once()
