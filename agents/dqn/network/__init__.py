"""The Q-network of DQN: encoders, heads, and their combination."""
