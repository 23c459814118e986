"""The training loop: actors and a learner, which communicate through the store."""
