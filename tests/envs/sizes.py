"""How much of each built-in game a test plays: rules in plain Python take long on large boards."""

SMALL = (
    "tic_tac_toe", "connect_four", "othello", "othello6", "chess5", "minishogi", "go7", "hex7",
    "gomoku9",
)  # fmt: skip
"""Games whose tests are quick; the others have the same rules on a larger board."""


RANDOM_GAMES = dict.fromkeys(SMALL[:4], 25) | dict.fromkeys(SMALL[4:], 3)
"""Random games of the contract suite."""
