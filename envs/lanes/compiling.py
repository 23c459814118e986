"""The decorators that compile what advances a match of Lanes and shows it."""

from typing import Any

from numba import njit

# Nothing that they compile makes an array, so Numba need not count who uses those there are: that
# took a third of the time. `new_shared`, which makes some, is called once for many matches.
UNCOUNTED: Any = {"cache": True, "_nrt": False}
compiled = njit(**UNCOUNTED)
inlined = njit(**UNCOUNTED, forceinline=True)
