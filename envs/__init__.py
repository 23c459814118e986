"""Games: rules compiled by Numba, notation, rendering, adapters; nothing that learns."""

from envs.compiled import kernel_cache

kernel_cache.activate()
