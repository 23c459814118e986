"""Hex and Gomoku, and the sets of points that games of stones are made of."""
