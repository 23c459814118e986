"""Measure the replay store: its speed, and the requests that it makes."""
