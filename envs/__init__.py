"""The rules of the games: compiled functions over one record a position; nothing that learns."""
