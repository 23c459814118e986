"""Side-by-side measurements, written as JSON with facts about the machine."""
