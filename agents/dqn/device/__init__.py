"""What DQN does so that a graphics card is not waiting: replay there."""
