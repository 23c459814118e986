"""Games as text that other programs read."""
