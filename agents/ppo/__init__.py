"""Proximal policy optimisation of teams, on RLlib (Schulman et al. 2017; OpenAI 2019)."""
