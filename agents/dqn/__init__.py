"""DQN and its family: networks, heads, targets and losses."""
