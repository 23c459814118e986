"""Train on several hosts, simulated by network namespaces, while they fail."""
