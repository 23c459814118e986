"""Compiled Monte Carlo tree search over any game of `envs`; the network stays outside."""
