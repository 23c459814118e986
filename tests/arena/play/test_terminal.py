import io
import sys

import pytest

from agents.players import Player
from arena.play.terminal import COLOUR, HumanPlayer, Table, Terminal, shows_a_screen
from arena.solvers.players import SolverPlayer
from envs.registry import find_game

GAME = find_game("tic_tac_toe")
YOU = HumanPlayer()


def play(
    *words: str, first: Player | HumanPlayer = YOU, second: Player | HumanPlayer = YOU
) -> tuple[list[str], str, list[str]]:
    """Play these words at a terminal, then the end of input: moves, all text, the prompts."""
    lines, said, prompts = iter([f"{word}\n" for word in words]), list[str](), list[str]()

    def read(prompt: str) -> str:
        prompts.append(prompt.strip())
        return next(lines, "")

    table = Table(GAME, (first, second), Terminal(read, said.append))
    table.play()
    return [GAME.format_action(move) for move in table.moves], "\n".join(said), prompts


def test_two_people_play_a_game_to_its_end() -> None:
    moves, text, prompts = play("a1", "b1", "a2", "b2", "a3")
    assert moves == ["a1", "b1", "a2", "b2", "a3"]
    assert text.endswith("you as " + GAME.player_names[0] + " wins\ngame: a1 b1 a2 b2 a3")
    assert [p.split(" to move")[0] for p in prompts] == [GAME.player_names[i % 2] for i in range(5)]


def test_every_move_is_followed_by_its_board() -> None:
    _, text, _ = play("a1", "b2", "quit")
    for moves in ([], ["a1"], ["a1", "b2"]):
        record = GAME.parse_moves(" ".join(moves))
        assert COLOUR.sub("", GAME.render(GAME.position(record))) in text


def test_an_illegal_move_is_explained_and_asked_for_again() -> None:
    moves, text, _ = play("a1", "a1", "z9", "b1")
    assert moves == ["a1", "b1"]
    assert "move 2, 'a1', is not legal" in text
    assert "'z9'" in text


def test_undo_goes_back_to_ones_own_last_move() -> None:
    solver = SolverPlayer(GAME)
    moves, _, _ = play("a1", "undo", "b2", second=solver)
    assert moves[0] == "b2"
    assert len(moves) == 2
    moves, text, _ = play("undo", first=solver)
    assert len(moves) == 1
    assert "no move of yours" in text


def test_hint_asks_the_agent_at_the_table() -> None:
    _, text, _ = play("a1", "hint", second=SolverPlayer(GAME))
    assert "solver would play" in text
    assert "no agent at this table" in play("hint")[1]


def test_other_requests_move_nothing() -> None:
    moves, text, _ = play("", "moves", "board", "HELP")
    assert moves == []
    assert "a1 b1 c1 a2 b2 c2 a3 b3 c3" in text


def test_the_end_of_input_and_quit_leave_the_game_unfinished() -> None:
    for words in ((), ("quit",), ("a1", "q")):
        moves, text, _ = play(*words)
        assert "left unfinished\ngame: " + (" ".join(moves) or "(no moves)") in text


def test_an_interrupt_leaves_the_game_unfinished() -> None:
    said: list[str] = []

    def interrupt(prompt: str) -> str:
        raise KeyboardInterrupt

    Table(GAME, (YOU, YOU), Terminal(interrupt, said.append)).play()
    assert "left unfinished" in said[-2]


def test_perfect_players_draw() -> None:
    solver = SolverPlayer(GAME)
    moves, text, prompts = play(first=solver, second=solver)
    assert (len(moves), prompts) == (9, [])
    assert "a draw" in text


def test_colours_are_kept_where_the_terminal_has_them() -> None:
    assert "\x1b[" in _board(True)
    assert "\x1b[" not in _board(False)


def _board(colours: bool) -> str:
    said: list[str] = []
    Table(GAME, (YOU, YOU), Terminal(lambda prompt: "", said.append, colours)).show_board()
    return said[0]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("piped", "term", "driver", "shown"),
    [
        ("", "xterm", "", True),
        ("stdin", "xterm", "", False),
        ("stdout", "xterm", "", False),
        ("stderr", "xterm", "", False),  # where a screen is drawn
        ("", "dumb", "", False),
        ("", "", "", False),
        ("stdout", "dumb", "textual.drivers.web_driver:WebDriver", True),
    ],
)
def test_a_screen_needs_a_terminal_or_a_browser(
    piped: str, term: str, driver: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.StringIO() if name == piped else _Terminal())
    for key, value in (("TERM", term), ("TEXTUAL_DRIVER", driver)):
        monkeypatch.setenv(key, value) if value else monkeypatch.delenv(key, raising=False)
    assert shows_a_screen() is shown


def test_a_game_begins_at_a_position_and_is_a_record() -> None:
    chess = find_game("chess")
    start = chess.parse_position("6k1/5ppp/8/8/8/8/8/R3K3 w Q - 0 1")
    said, lines = list[str](), iter(["undo\n", "Ra8\n"])
    terminal = Terminal(lambda prompt: next(lines, ""), said.append)
    table = Table(chess, (YOU, YOU), terminal, start=start)
    table.play()
    assert "there is no move of yours to take back" in said
    assert said[-1] == "game: 6k1/5ppp/8/8/8/8/8/R3K3 w Q - 0 1 moves a1a8"
    assert "White wins" in said[-2]
    record = table.record()
    assert (record.names, record.points, len(record.moves)) == (("you", "you"), 1.0, 1)
