"""Measure the search and self-play."""
