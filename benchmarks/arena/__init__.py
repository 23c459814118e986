"""Measure matches, ladders and the screen."""
