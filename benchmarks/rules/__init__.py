"""Speed of the rules alone, beside other programs."""
