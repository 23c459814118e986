"""The speed of learning games of teams, beside RLlib's stock path."""
