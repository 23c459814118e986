"""The names that compiled functions have, and the files where they are kept."""
