"""The files that count requests, as the benchmark has them."""

from benchmarks.store.counting_files import CountingFiles

__all__ = ["CountingFiles"]
