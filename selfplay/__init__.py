"""Actors that play, a learner that learns, and the loop in which they meet through the store."""
