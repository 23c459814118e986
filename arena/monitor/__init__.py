"""Watching runs: panel, plain lines, reports."""
