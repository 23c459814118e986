"""Matches between agents: openings, workers, records, evidence."""
