"""Learning: advantages, losses, normalised values, and RLlib's learner with them."""
