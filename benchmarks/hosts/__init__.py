"""Measure a run on several hosts, made of network namespaces, while they fail."""
