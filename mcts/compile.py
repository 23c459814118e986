"""The decorator that compiles the small functions of the search."""

from typing import Any

from numba import njit

# LLVM inlines them into the cached entry points: a simulation makes about thirty calls, each of
# which would push the whole Tree (measured: 1.8 times as fast as calls, same compile time).
INLINED: Any = {"nogil": True, "forceinline": True}
inlined = njit(**INLINED)
