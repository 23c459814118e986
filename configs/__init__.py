"""Presets, one TOML file an experiment, and the loader that checks them."""
