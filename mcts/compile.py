"""The decorators that compile the search: its kernels, and the small functions within them."""

from typing import Any

from numba import njit

# A search works in memory that it is given. So Numba need not count who uses an array, a sixth of
# the time of a search that waits for its evaluator; what makes an array does not compile then. And
# it makes a wrapper for C beside that for Python, which nothing here calls.
KERNEL: Any = {"cache": True, "nogil": True, "_nrt": False, "no_cfunc_wrapper": True}
kernel = njit(**KERNEL)

# LLVM inlines them into the kernels: a simulation makes about thirty calls, each of which would
# push the whole Tree (measured: 1.8 times as fast as calls, same compile time). Only compiled code
# calls them: without wrappers a game compiles in 0.7 of the core seconds. A call from Python would
# crash; tests call `.py_func`, or compile a function around it.
INLINED: Any = {
    "nogil": True,
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
UNCOUNTED: Any = {**INLINED, "_nrt": False}
inlined = njit(**UNCOUNTED)
inlined_with_rules = njit(**INLINED)  # a game's rules may make arrays
