"""What a run in training needs, whoever drives it: budget, checkpoints, reports, its game."""
