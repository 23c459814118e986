"""The progress record of a run, and its summary."""
