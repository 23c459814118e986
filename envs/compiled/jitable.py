"""The decorator of functions that compiled code calls, in place of Numba's `register_jitable`."""

from numba.extending import register_jitable

# Numba also makes a wrapper for C of each, which nothing calls: a seventh of the time that the
# rules of chess take to compile.
jitable = register_jitable(no_cfunc_wrapper=True)
