"""The network: encoders of observations, memory, the heads of an action, and the critic."""
