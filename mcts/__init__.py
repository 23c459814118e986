"""Compiled Monte Carlo tree search over any game of envs, with the network left outside."""
