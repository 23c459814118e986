"""The replay and checkpoint store: immutable segments, and a manifest written last."""
