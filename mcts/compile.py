"""The decorator that compiles the small functions of the search."""

from typing import Any

from numba import njit

# LLVM inlines them into the cached entry points: a simulation makes about thirty calls, each of
# which would push the whole Tree (measured: 1.8 times as fast as calls, same compile time).
# Only compiled code calls them: without wrappers for Python a game compiles in 0.83 of the core
# seconds. A call from Python would crash; tests call `.py_func`, or compile a function around it.
INLINED: Any = {"nogil": True, "forceinline": True, "no_cpython_wrapper": True}
inlined = njit(**INLINED)
