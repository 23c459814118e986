from envs import kernel_cache

kernel_cache.activate()  # before any test module imports Numba
