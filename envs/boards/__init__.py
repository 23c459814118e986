"""Games of stones that never move: Hex and Gomoku."""
