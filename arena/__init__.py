"""Matches, ratings, perfect solvers, and the displays of games and training runs."""
