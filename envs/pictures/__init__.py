"""Environments that show pictures: to watch, to play and to record."""
