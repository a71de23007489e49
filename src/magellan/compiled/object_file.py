"""Object file: machine code that is no ELF for x86-64, which we do not lay out: LLVM links it when it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFile:
    """Code of one function and all of Magellan that it calls."""

    content: bytes
    symbol: str
    needs: tuple[str, ...]  # functions of the C library


def can_link(code: ObjectFile) -> bool:
    """Whether everything that the code calls is there; LLVM would end the process over a name that is missing."""
    from llvmlite import binding as llvm

    _engine()  # LLVM knows the symbols of the process only once it has one
    return all(llvm.address_of_symbol(name) for name in code.needs)


def linked(code: ObjectFile) -> int:
    """Put the code into memory; returns the function's address."""
    from llvmlite import binding as llvm

    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code.content))
    engine.finalize_object()
    address: int = engine.get_function_address(code.symbol)
    return address


@cache
def _engine() -> Any:
    """LLVM's linker for this process."""
    from llvmlite import binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        codemodel="jitdefault",
        jit=True,
    )
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
