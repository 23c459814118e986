"""Checks of a game's rules: the contract suite and perft."""
