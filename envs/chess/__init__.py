"""Chess by its full rules, Chess960 included, and Gardner's chess on 5x5 squares."""
