"""Watch matches of Lanes, step through replays of them, and play, in the terminal."""
