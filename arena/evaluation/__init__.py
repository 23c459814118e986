"""Scores of agents in environments: games under a named protocol, records, tables, sweeps."""
