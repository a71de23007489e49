"""Numba compiler: from Python functions to an object file that needs no Numba to run."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from llvmlite import binding as llvm
from numba import njit, typeof, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager
from numba.core.registry import cpu_target
from numba.core.typed_passes import NopythonTypeInference, PreLowerStripPhis
from numba.core.typing import Signature
from numba.core.untyped_passes import FixupArgs, IRProcessing, ReconstructSSA, TranslateByteCode
from numpy.typing import NDArray

from magellan.compiled.image import image_of
from magellan.compiled.machine_code import DATA_AT, SHAPE_AT, STRIDES_AT, Code
from magellan.compiled.object_file import ObjectFile

_SMALL = 200  # instructions; of the replay all but nine functions


def part(function: Callable[..., Any]) -> Any:
    """Numba's dispatcher of a function that has neither a way in from Python nor machine code of its own.

    A third of what compiling the replay cost were ways in from Python and machine code that nobody runs
    (docs/decisions/0031).
    """
    return njit(
        nogil=True,
        error_model="numpy",
        _nrt=False,
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        pipeline_class=_PartCompiler,
    )(function)


def type_of(value: Any) -> Any:
    """Numba's type of something that kernels name, for example an intrinsic."""
    context = cpu_target.typing_context
    context.refresh()
    return context.resolve_value_type(value)


def compiled(dispatcher: Any, arguments: tuple[Any, ...]) -> Code:
    """The function, with all that it calls, for arguments of the same types as these."""
    returned, code = object_file(dispatcher, arguments)
    return Code(returns=_names(returned), form=image_of(code.content, code.symbol) or code)


def object_file(dispatcher: Any, arguments: tuple[Any, ...]) -> tuple[Any, ObjectFile]:
    """The type that the function returns, and its code as LLVM writes it."""
    signature = tuple([typeof(each) for each in arguments])
    dispatcher.compile(signature)
    made = dispatcher.overloads[signature]
    codegen = made.library._codegen
    module = made.library._final_module.clone()
    entry = _add_door(module, made.fndesc.llvm_func_name, arguments)
    for each in module.functions:
        if not each.is_declaration and each.name != entry:
            # Nobody else calls it: LLVM takes it in where it is called once, and drops what is always the same.
            each.linkage = "internal"
            if sum(len(list(block.instructions)) for block in each.blocks) <= _SMALL:
                each.add_function_attribute("alwaysinline")
    passes, builder = codegen._module_pass_manager()
    passes.run(module, builder)
    needs = [
        each.name for each in module.functions if each.is_declaration and not each.name.startswith("llvm.")
    ]
    unknown = [name for name in needs if name.startswith(("numba", "NRT_", "Py"))]
    assert not unknown, (
        f"{entry} asks Numba or Python for {', '.join(unknown)}: it makes an object, or raises"
    )
    return made.signature.return_type, ObjectFile(
        content=codegen._tm.emit_object(module), symbol=entry, needs=tuple(needs)
    )


def _add_door(module: Any, inner: str, arguments: tuple[Any, ...]) -> str:
    """Add a function that takes an array by the place of its Python object; returns its name.

    Numba takes an array as seven words or more, each of which Python would have to ask it for: its owner twice (which
    only code that makes arrays asks for), number and size of its items, address, shape, strides. Handing them over
    took longer than most kernels.
    """
    kinds = iter([str(each.type) for each in module.get_function(inner).arguments])
    takes, words, lines = [f"{next(kinds)} %answer", f"{next(kinds)} %failure"], [], []
    words += takes
    for number, each in enumerate(_within(arguments)):
        if not isinstance(each, np.ndarray):
            takes.append(f"{next(kinds)} %n{number}")
            words.append(takes[-1])
            continue
        takes.append(f"ptr %n{number}")
        read, array_words = _words_of_array(each, f"n{number}")
        lines += read
        words += array_words
        for word in array_words:
            assert word.split()[0] == next(kinds), f"Numba takes {each.dtype}, {each.ndim} in other words"
    name = f"door.{inner}"
    asked = ", ".join(word.split()[0] for word in words)
    door = llvm.parse_assembly(
        f'target triple = "{module.triple}"\ntarget datalayout = "{module.data_layout}"\n'
        f'declare i32 @"{inner}"({asked})\n'
        f'define i32 @"{name}"({", ".join(takes)}) {{\n'
        + "\n".join(lines)
        + f'\n%status = call i32 @"{inner}"({", ".join(words)})\nret i32 %status\n}}\n'
    )
    module.link_in(door)
    return name


def _within(arguments: tuple[Any, ...]) -> Iterator[Any]:
    """The arguments, and what is in tuples instead of them."""
    for each in arguments:
        if isinstance(each, tuple):
            yield from _within(each)
        else:
            yield each


def _words_of_array(array: NDArray[Any], name: str) -> tuple[list[str], list[str]]:
    """The lines that read an array's object, and the words in which Numba takes it."""
    lines = []

    def read(what: str, kind: str, base: str, offset: int) -> str:
        lines.append(f"%{name}.{what}.at = getelementptr i8, ptr {base}, i64 {offset}")
        lines.append(f"%{name}.{what} = load {kind}, ptr %{name}.{what}.at")
        return f"%{name}.{what}"

    data = read("data", "ptr", f"%{name}", DATA_AT)
    sides: dict[str, list[str]] = {}
    for what, offset in (("shape", SHAPE_AT), ("strides", STRIDES_AT)):
        base = read(what, "ptr", f"%{name}", offset)
        sides[what] = [f"i64 {read(f'{what}{axis}', 'i64', base, 8 * axis)}" for axis in range(array.ndim)]
    count = "1"
    for axis, side in enumerate(sides["shape"]):
        lines.append(f"%{name}.count{axis} = mul i64 {count}, {side.split()[1]}")
        count = f"%{name}.count{axis}"
    words = ["ptr null", "ptr null", f"i64 {count}", f"i64 {array.itemsize}", f"ptr {data}"]
    return lines, words + sides["shape"] + sides["strides"]


def _names(returned: Any) -> tuple[str, ...]:
    """The names of the numbers that a function returns, as `machine_code` knows them."""
    if isinstance(returned, types.NoneType):
        return ()
    numbers = tuple(returned) if isinstance(returned, types.BaseTuple) else (returned,)
    return tuple([str(types.unliteral(number)) for number in numbers])


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


# A process that ends needs no garbage collected; looking through all of a compiler's objects takes 0.2 s.
atexit.register(gc.freeze)
_search_builtins_once()
