"""Playing: drawing actions, many matches at once, and RLlib's runner around them."""
