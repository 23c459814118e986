"""The screen to play on: a game in the terminal or a browser, with an agent's thoughts live."""
