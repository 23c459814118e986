"""Training under Ray: a driver, its workers, the learner, inference actors."""
