"""Thinking about one position in the background, under every screen and protocol."""
