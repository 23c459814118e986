"""AlphaZero: episodes, replay and the learner."""
