"""Benchmarks of the replay in memory."""
