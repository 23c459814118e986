"""Games of teams: matches, the skill of checkpoints, and who beats whom."""
