"""Replay in RAM: rings, priorities, trajectories."""
