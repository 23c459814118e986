"""Game records of Go in the Smart Game Format, FF[4] (red-bean.com/sgf): main line, both ways."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from envs.game import NotationError

LETTERS = "abcdefghijklmnopqrs"
SIDES = {"B": 0, "W": 1}
Properties = dict[str, list[str]]

_TOKEN = re.compile(r"\s*(?:([();])|([A-Za-z]+)|\[((?:\\.|[^\\\]])*)\])", re.DOTALL)


@dataclass
class GoRecord:
    """A game of Go: the board, the stones it begins with, and the moves.

    A move is (side, action): 0 for Black, 1 for White; a point counted row by row from the top
    left, or rows * columns for a pass.
    """

    rows: int
    columns: int
    komi: float
    moves: list[tuple[int, int]]
    stones: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    first_side: int = 0
    names: tuple[str, str] = ("", "")
    result: str = ""  # such as "B+3.5", "W+R" or "0"

    def actions(self) -> list[int]:
        """Return the actions, with a pass wherever one side moved twice in a row."""
        actions: list[int] = []
        for side, action in self.moves:
            if side != (self.first_side + len(actions)) % 2:
                actions.append(self.rows * self.columns)
            actions.append(action)
        return actions

    def position(self) -> str:
        """Return the position that the game begins with, as `parse_position` reads it."""
        board = ["."] * (self.rows * self.columns)
        for letter, points in zip("XO", self.stones, strict=True):
            for point in points:
                board[point] = letter
        width = self.columns
        lines = ["".join(board[row * width : (row + 1) * width]) for row in range(self.rows)]
        text = re.sub(r"\.+", lambda dots: str(len(dots[0])), "/".join(lines))
        return f"{text} {'bw'[self.first_side]}"


def format_result(lead: float) -> str:
    """Return the result of a scored game: Black's area minus White's and komi, as SGF writes it."""
    return "0" if lead == 0 else f"{'B' if lead > 0 else 'W'}+{abs(lead):g}"


def format_sgf(record: GoRecord) -> str:
    """Return a game as SGF."""
    rows, columns = record.rows, record.columns
    size = str(rows) if rows == columns else f"{columns}:{rows}"
    parts = [f"(;FF[4]CA[UTF-8]GM[1]SZ[{size}]RU[Chinese]KM[{record.komi:g}]"]
    parts += [f"P{side}[{_escape(record.names[i])}]" for side, i in SIDES.items()]
    parts += [f"RE[{_escape(record.result)}]"] if record.result else []
    if len(record.stones[0]) > 1:
        parts.append(f"HA[{len(record.stones[0])}]")
    for side, i in SIDES.items():
        points = "".join(f"[{_format_point(point, record)}]" for point in record.stones[i])
        parts += [f"A{side}{points}"] if points else []
    if record.first_side or any(record.stones):
        parts.append(f"PL[{'BW'[record.first_side]}]")
    parts += [f"\n;{'BW'[side]}[{_format_point(action, record)}]" for side, action in record.moves]
    return "".join(parts) + ")\n"


def _escape(text: str) -> str:
    return re.sub(r"([\\\]])", r"\\\1", text)


def _format_point(action: int, record: GoRecord) -> str:
    row, column = divmod(action, record.columns)
    return "" if row == record.rows else LETTERS[column] + LETTERS[row]


def parse_sgf(text: str) -> GoRecord:
    """Read the main line of the first game of an SGF text.

    Raises NotationError for text that is no game of Go, or has a board over 19x19. The moves are
    not checked against the rules.
    """
    return _read_game(_main_line(text))


def parse_games(text: str) -> list[GoRecord]:
    """Read the main line of each game of an SGF text. Raises NotationError like `parse_sgf`."""
    records: list[GoRecord] = []
    for part in _split_games(text):
        try:
            records.append(parse_sgf(part))
        except NotationError as error:
            raise NotationError(f"game {len(records) + 1} of the SGF: {error}") from None
    return records


def _split_games(text: str) -> Iterator[str]:
    """Yield the text of each game, and at least one, which may be none."""
    start, depth = _beginning(text), 0
    place = max(start, 0)
    if start < 0:
        yield text
    while start >= 0 and (token := _TOKEN.match(text, place)):
        place = token.end()
        depth += {"(": 1, ")": -1}.get(token[1], 0)
        if token[1] == ")" and depth == 0:
            yield text[start:place]
            start = place = _beginning(text, place)
    if start >= 0:
        yield text[start:]


def _beginning(text: str, after: int = 0) -> int:
    """Return where the first game after a place begins, or -1."""
    place = text.find("(;", after)
    return place if place >= 0 else text.find("(", after)


def _read_game(nodes: list[Properties]) -> GoRecord:
    root = nodes[0]
    if root.get("GM", ["1"])[0].strip() not in ("", "1"):
        raise NotationError(f"the SGF is of game {root['GM'][0]!r}, expected 1, which is Go")
    columns, rows = _parse_size(root.get("SZ", ["19"])[0])
    record = GoRecord(rows, columns, _parse_komi(root.get("KM", ["0"])[0]), [])
    record.names = (_text(root, "PB"), _text(root, "PW"))
    record.result = _text(root, "RE")
    for node in nodes:
        _read_node(node, record)
    if "PL" in root:
        record.first_side = SIDES.get(root["PL"][0].strip()[:1].upper(), 0)
    elif record.moves:
        record.first_side = record.moves[0][0]
    return record


def _read_node(node: Properties, record: GoRecord) -> None:
    if any(name in node for name in ("AB", "AW", "AE")):
        if record.moves or "AE" in node:
            raise NotationError("the SGF sets up stones after the start: only moves can be read")
        for side, i in SIDES.items():
            for value in node.get(f"A{side}", []):
                record.stones[i].extend(_parse_points(value, record))
    for side, i in SIDES.items():
        if side in node:
            record.moves.append((i, _parse_move(node[side][0], record)))


def _main_line(text: str) -> list[Properties]:
    """Return the nodes from the root along the first variation of each fork."""
    nodes: list[Properties] = []
    place, name = _beginning(text), ""
    if place < 0:
        raise NotationError(f"{text[:40]!r} is no SGF: expected (; at the start of a game")
    while place < len(text):
        token = _TOKEN.match(text, place)
        if not token:
            raise NotationError(f"the SGF cannot be read at {text[place : place + 20]!r}")
        place = token.end()
        mark, word, value = token.groups()
        if mark == ")":
            break  # the end of the first variation is the end of the main line
        if mark == ";":
            nodes.append({})
        elif word and nodes:
            name = "".join(letter for letter in word if letter.isupper())  # FF[3]: "White"
        elif value is not None and nodes and name:
            plain = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
            nodes[-1].setdefault(name, []).append(plain)
    if not nodes:
        raise NotationError(f"{text[:40]!r} is no SGF: it has no node")
    return nodes


def _text(node: Properties, name: str) -> str:
    return node.get(name, [""])[0].strip()


def _parse_size(text: str) -> tuple[int, int]:
    numbers = [part.strip() for part in text.split(":")]
    good = len(numbers) in (1, 2) and all(re.fullmatch("[1-9][0-9]?", n) for n in numbers)
    if not good or any(int(number) > len(LETTERS) for number in numbers):
        raise NotationError(f"SZ[{text}] in the SGF: expected 1 to {len(LETTERS)}")
    return int(numbers[0]), int(numbers[-1])


def _parse_komi(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise NotationError(f"KM[{text}] in the SGF: expected a number") from None


def _parse_points(text: str, record: GoRecord) -> list[int]:
    """Return the points of a value: one, or a rectangle written as two corners."""
    corners = [_parse_move(part, record) for part in text.split(":")]
    (top, left), (bottom, right) = (divmod(c, record.columns) for c in (corners[0], corners[-1]))
    if max(top, bottom) >= record.rows:
        raise NotationError(f"[{text}] in the SGF: expected points of the board")
    rows, columns = range(top, bottom + 1), range(left, right + 1)
    return [row * record.columns + column for row in rows for column in columns]


def _parse_move(text: str, record: GoRecord) -> int:
    text = text.strip()
    if text in ("", "tt"):
        return record.rows * record.columns
    column, row = (LETTERS.find(letter) for letter in text) if len(text) == 2 else (-1, -1)
    if not (0 <= column < record.columns and 0 <= row < record.rows):
        raise NotationError(f"[{text}] in the SGF: expected a point of the board")
    return row * record.columns + column
