"""Side-by-side measurements, written as JSON with the facts of the machine."""
