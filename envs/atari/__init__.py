"""Atari 2600 games on the Arcade Learning Environment (Bellemare et al. 2013), by ale-py."""
