"""Protocols by which other programs use an engine: lines in, lines out."""
