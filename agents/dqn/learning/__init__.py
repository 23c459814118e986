"""How DQN learns: targets, losses and optimisers of the learner, and the rollouts it samples."""
