"""Exact solvers, and the positions with known best moves."""
