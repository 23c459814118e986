"""Elo from matches: ladders, sequential tests, ablations."""
