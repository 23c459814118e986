"""Text from outside the program, made fit for a terminal."""


def printable(text: str, instead: str = " ") -> str:
    """Return `text` with `instead` of each character that could control a terminal.

    A store is not trusted: an escape code in a notice could rename a window or hide a line.
    """
    return "".join(letter if letter.isprintable() else instead for letter in text)
