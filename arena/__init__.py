"""Matches, perfect solvers, and everything that shows a game or a training to a person."""
