"""Watch agents of environments, and play, by pictures in the terminal."""
