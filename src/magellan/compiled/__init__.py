"""Compiled kernels: Python functions of numbers and arrays that run as machine code, kept on disk between processes.

A kernel is called from Python; a kernel part is called by kernels alone; what `in_kernels` makes is a word that only
compiled code understands. Numba compiles, once per machine and per types of the arguments, and is not even imported
where the machine code is there already (docs/decisions/0170).
"""

from magellan.compiled.kept_code import cache_folder, sources_digest
from magellan.compiled.kernel import in_kernels, is_kept, kernel, kernel_part, over_arrays

__all__ = ["cache_folder", "in_kernels", "is_kept", "kernel", "kernel_part", "over_arrays", "sources_digest"]
